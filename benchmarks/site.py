"""A small backup server in a folder: tree, encrypted repository, configuration."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PASSPHRASE = "benchmark"  # noqa: S105  # of a repository that lives for minutes


@dataclass(frozen=True)
class Site:
    config: Path
    tree: Path
    repository: Path
    base: Path
    environment: dict[str, str]


def bin_dir() -> Path:
    """Return where the commands of the running interpreter's environment are."""
    return Path(sys.executable).parent


def make_tree(tree: Path, files: int, big_bytes: int = 0) -> None:
    """Write `files` files of 200 to 8,000 random bytes in folders of 100, and one large file."""
    rng = random.Random(1)
    for number in range(files):
        path = tree / f"d{number // 100:04}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.randint(200, 8000)))
    if big_bytes:
        with (tree / "big").open("wb") as handle:
            for _ in range(big_bytes >> 20):
                handle.write(rng.randbytes(1 << 20))


def write_site(folder: Path, *, files: int, big_bytes: int = 0, tree: Path | None = None) -> Site:
    """Make a tree (unless one is given), an encrypted repository and a configuration in `folder`."""
    if tree is None:
        tree = folder / "tree"
        make_tree(tree, files, big_bytes)
    base, repository = folder / "base", folder / "repository"
    environment = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(folder),
        "BORG_BASE_DIR": str(base),
        "BORG_PASSPHRASE": PASSPHRASE,
    }
    base.mkdir(parents=True)
    init = ["borg", "init", "--encryption", "repokey-blake2", str(repository)]
    subprocess.run(init, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    secret = folder / "env"
    secret.write_text(f"export BORG_PASSPHRASE='{PASSPHRASE}'\n")
    secret.chmod(0o600)
    config = folder / "config.yml"
    config.write_text(
        f"""schema: 1
paths: {{state: {folder}/state, log: {folder}/log, lock: {folder}/lock}}
repositories:
  main:
    path: {repository}
    passphrase_file: {secret}
    key_export: {folder}/key.txt
    base_dir: {base}
    compression: lz4
    sources: [tree]
sources:
  tree: {{path: {tree}}}
mail: {{when: never}}
"""
    )
    return Site(config, tree, repository, base, environment)
