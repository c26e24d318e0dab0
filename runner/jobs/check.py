"""check and verify: borg's own look at the repository, the second with every chunk decrypted and authenticated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.tools.borg import commands

if TYPE_CHECKING:
    from bkp.config.model import Config
    from runner.lifecycle.context import JobContext


def check(context: JobContext) -> None:
    """Check segments, index and archive metadata (`borg check`). Exit 1 is corruption, never a warning."""
    _check(context, verify_data=False)


def verify(context: JobContext) -> None:
    """Check all of that and read, decrypt and authenticate all data (`borg check --verify-data`)."""
    _check(context, verify_data=True)


def _check(context: JobContext, *, verify_data: bool) -> None:
    with context.recorder.step("verify" if verify_data else "check") as notes:
        arguments = commands.check(context.repository, lock_wait=context.options.lock_wait, verify_data=verify_data)
        context.run_borg(notes, arguments)


def planned(config: Config, target: str, lock_wait: float, *, verify_data: bool) -> list[tuple[str, ...]]:
    """Return borg's arguments for --dry-run."""
    return [commands.check(config.repositories[target], lock_wait=lock_wait, verify_data=verify_data)]
