"""systemd's programs: accounts, folders and units are made known to the running system."""

from __future__ import annotations

from pathlib import Path

from bkp.errors import StepFailedError
from bkp.tools.process import Command, clean_environment, run

SYSTEMCTL, SYSUSERS, TMPFILES = "/usr/bin/systemctl", "/usr/bin/systemd-sysusers", "/usr/bin/systemd-tmpfiles"
TIMEOUT = 120.0


def is_running() -> bool:
    """Return whether systemd is this system's manager (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def call(*argv: str) -> None:
    """Run one of systemd's programs; raise `StepFailedError` with what it said if it refused."""
    command = Command(argv=argv, environment=clean_environment())
    completed = run(command, timeout=TIMEOUT)
    if completed.exit_code != 0 or completed.timed_out:
        said = completed.stderr_tail.decode("utf-8", "replace").strip().splitlines()
        why = "took too long" if completed.timed_out else said[-1] if said else f"exit code {completed.exit_code}"
        raise StepFailedError(f"`{command_line(argv)}` failed: {why}", remedy="run it by hand, and look at the journal")


def command_line(argv: tuple[str, ...]) -> str:
    """Return the call as a person would type it."""
    return " ".join((Path(argv[0]).name, *argv[1:]))
