"""check and verify: borg's own look at the repository, the second with every chunk decrypted and authenticated.

A check of what is there cannot see what is gone, so the archives are held against the records besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.jobs import CHECK, VERIFY
from bkp.state.results import CheckResult
from bkp.tools.borg import commands
from runner.borg_session import BorgSession, open_borg
from runner.jobs import repository
from runner.jobs.listed import list_all, look
from runner.jobs.model import Rights, RunnerJob

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.jobs import JobSpec
    from runner.jobs.model import DryRun


def _job(spec: JobSpec, *, all_data: bool) -> RunnerJob[BorgSession]:
    """Return the job; `all_data`: read, decrypt and authenticate everything (`borg check --verify-data`)."""

    def work(session: BorgSession) -> None:
        """Run `borg check`. Exit 1 is corruption, never a warning."""
        with session.recorder.step(spec.name) as notes:
            arguments = commands.check(session.repository, lock_wait=session.options.lock_wait, verify_data=all_data)
            session.run_borg(notes, arguments)
            session.recorder.update(result=CheckResult(all_data=all_data))
        with session.recorder.step("list") as notes:
            try:
                listing = list_all(session, notes)
            except StepFailedError as exc:  # what was checked is checked
                notes.warn(f"what archives there are could not be listed: {exc.message}")
                return
            listed = look(session, notes, listing)
            session.recorder.update(result=CheckResult(all_data=all_data, listed=listed), subject=listing.repository_id)

    def dry_run(config: Config, target: str, lock_wait: float) -> DryRun:
        section = config.repositories[target]
        calls = [
            commands.check(section, lock_wait=lock_wait, verify_data=all_data),
            commands.list_archives(section, lock_wait=lock_wait, checkpoints=True),
        ]
        return repository.dry_run(spec.name, config, target, calls)

    return RunnerJob(
        spec, open_borg, work, dry_run, lambda config, home: Rights(writable=repository.written(config, home))
    )


CHECK_JOB = _job(CHECK, all_data=False)
VERIFY_JOB = _job(VERIFY, all_data=True)
