"""The last word on a repository that a test has written to is borg's own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BORG = "/usr/bin/borg"
_ANSWERS = {"BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}


def is_untouched(repository: Path, template: Path) -> bool:
    """Return whether a copy of a repository still has the very bytes of the one it was copied from."""
    return _content(repository) == _content(template)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def prove(repository: Path, environment: Mapping[str, str]) -> None:
    """Let borg read, decrypt and check everything in a repository; `environment` has its passphrase and base folder."""
    assert (repository / "config").is_file(), f"there is no repository at {repository}: the test has lost it"
    done = subprocess.run(
        [BORG, "check", "--verify-data", str(repository)],
        env={
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "BORG_SELFTEST": "disabled",
            **environment,
            **_ANSWERS,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"borg check of {repository}: {done.stdout}{done.stderr}"
