"""What several tests of the core share: records to write, and a process that may do less than root."""

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

from bkp.state.records import Process, Run
from tests.support import records

ROOT = Path(__file__).resolve().parents[3]
START = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
PROCESS = Process(pid=4711, started_ticks=12345, boot_id="b00")


def a_run(number: int = 0, **changes: Any) -> Run:
    """A run that ended well, the `number`th night."""
    values = {"run_id": f"run-{number}", "host": "backup", "result": None, "process": PROCESS} | changes
    return records.a_run(started=START + timedelta(days=number), **values)


def run_unprivileged(folder: Path, code: str) -> str:
    """Run Python code as somebody who owns nothing, and return what it printed and how it failed."""
    drop = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n" if os.geteuid() == 0 else ""
    # pytest's folders are for their owner alone; what holds them all is sticky
    for path in takewhile(lambda each: not each.stat().st_mode & stat.S_ISVTX, (folder, *folder.parents)):
        path.chmod(path.stat().st_mode | 0o011)
    # Import first: the checkout itself need not be readable for others.
    load = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    load += "import bkp.config, bkp.state.store, bkp.liveness, bkp.mail.outbox, encodings.ascii\n"
    done = subprocess.run([sys.executable, "-c", load + drop + code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
