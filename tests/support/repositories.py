"""Repositories of tests: how they are made, what a test asks borg by hand, and borg's last word on each."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.loaded import call_borg

if TYPE_CHECKING:
    from collections.abc import Mapping

BORG = "/usr/bin/borg"
# The same program, without its test of its own hashes and ciphers, which is a quarter of each call.
BORG_UNTESTED = str(Path(__file__).with_name("without_selftest") / "borg")
# Opening such a repository derives its key by one round of PBKDF2 instead of 100000, which are a fifth of each call.
# The number is kept beside the key, so every borg opens it all the same.
ONE_ROUND = "from borg.crypto import key; key.PBKDF2_ITERATIONS = 1; from borg.archiver import main; main()"
_ANSWERS = {"BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
_PLAIN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "BORG_SELFTEST": "disabled"}


def make_repository(path: Path, environment: Mapping[str, str], encryption: str = "repokey-blake2") -> None:
    """Make an empty repository; `environment` has its passphrase and base folder."""
    subprocess.run(
        ["/usr/bin/python3", "-c", ONE_ROUND, "init", "--encryption", encryption, str(path)],
        env={**_PLAIN, **environment},
        check=True,
        capture_output=True,
    )


def is_untouched(repository: Path, template: Path) -> bool:
    """Return whether a copy of a repository still has the very bytes of the one it was copied from."""
    return _content(repository) == _content(template)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def prove(repository: Path, environment: Mapping[str, str]) -> None:
    """Let borg read, decrypt and check everything in a repository; `environment` has its passphrase and base folder."""
    assert (repository / "config").is_file(), f"there is no repository at {repository}: the test has lost it"
    done = call_borg("check", "--verify-data", str(repository), environment={**_PLAIN, **environment, **_ANSWERS})
    assert done.returncode == 0, f"borg check of {repository}: {done.stdout}{done.stderr}"
