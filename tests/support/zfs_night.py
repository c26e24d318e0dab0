"""A nightly whose zfs and mount are those of a folder: what bkp-run does with the real ones at their usual places.

    python -m tests.support.zfs_night FOLDER TARGET CONFIG

It prints the run's record, and ends as bkp-run does.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import threading
from pathlib import Path
from typing import NoReturn

import msgspec

from bkp.clock import utc_now
from bkp.config import load_config
from bkp.tools.zfs.commands import Programs
from runner.jobs.nightly.job import JOB, nightly
from runner.lifecycle.context import Options
from runner.lifecycle.job import exit_code, run_job
from runner.lifecycle.log import Log
from runner.lifecycle.scope import new_scope
from runner.lifecycle.signals import ending_signals_raise


class _Bar:
    """Like one on a terminal: it has a thread while it is shown."""

    def __init__(self) -> None:
        self._stop: threading.Event | None = None

    def update(self, progress: object) -> None:
        if self._stop is None:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._stop.wait)
            self._thread.start()

    def finish(self) -> None:
        if self._stop is not None:
            self._stop.set()
            self._thread.join()
            self._stop = None


def main() -> NoReturn:
    programs, target, path = sys.argv[1:]
    handled = ending_signals_raise()
    signals = handled.__enter__()  # until the end of the process
    names = Programs(zfs=f"{programs}/zfs", mount=f"{programs}/mount", mountinfo=f"{programs}/mountinfo")
    job = dataclasses.replace(JOB, work=functools.partial(nightly, programs=names))
    run = run_job(
        new_scope(
            job,
            target,
            load_config(Path(path)),
            options=Options(lock_wait=60, progress=_Bar()),
            log=Log(utc_now, quiet=True),
            clock=utc_now,
            mail=lambda _run: None,
            signals=signals,
        )
    )
    sys.stdout.write(msgspec.json.encode(run).decode())
    sys.exit(exit_code(run))


if __name__ == "__main__":
    main()
