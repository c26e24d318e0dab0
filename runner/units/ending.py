"""How a job ends in its unit: what systemd is to take for a failure, and whether that was mailed already."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import ExitCode, StateError
from bkp.state.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.state.records import Run

TOLD = ".told"


def end_of_unit(job: str, lock_folder: str, runs: Iterable[Run], code: ExitCode) -> ExitCode:
    """Return what the program ends with in a unit: `code`, but 0 for warnings.

    A Python that cannot even start ends with 1, which nobody must take for a warning; so a unit never ends with 1 for
    another reason. If the runs have mailed what there was to mail, that is noted under the unit's INVOCATION_ID
    (systemd.exec(5)) for bkp-unit-failed@.service, which would otherwise mail that the unit failed.
    """
    invocation = os.environ.get("INVOCATION_ID", "")
    if invocation and all(run.mail != "failed" for run in runs):
        with contextlib.suppress(StateError):  # then it is mailed twice
            write_atomic(Path(lock_folder) / f"{job}{TOLD}", f"{invocation}\n".encode(), durable=False)
    return ExitCode.SUCCESS if code is ExitCode.WARNING else code
