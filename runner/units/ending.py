"""How a job ends in its unit: what systemd is to take for a failure, and whether that was mailed already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.errors import ExitCode
from bkp.mail.told import note_told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.state.records import Run


def end_of_unit(job: str, lock_folder: str, runs: Iterable[Run], code: ExitCode) -> ExitCode:
    """Return what the program ends with in a unit: `code`, but 0 for warnings.

    A Python that cannot even start ends with 1, which nobody must take for a warning; so a unit never ends with 1 for
    another reason. If the runs have mailed what there was to mail, that is noted under the unit's INVOCATION_ID
    (systemd.exec(5)) for bkp-unit-failed@.service, which would otherwise mail that the unit failed.
    """
    if all(run.mail != "failed" for run in runs):
        note_told(job, lock_folder)
    return ExitCode.SUCCESS if code is ExitCode.WARNING else code
