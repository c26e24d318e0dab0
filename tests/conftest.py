"""What every test shares: the environment that the real programs run in."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No test asserts a duration, not even on a busy machine.
settings.register_profile("bkp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bkp")

# promtool, prometheus and the three commands lie beside the interpreter; a test run started without `make`, as
# `.venv/bin/python -m pytest`, finds the same ones.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# Hundreds of commands are started from this checkout. Without bytecode each would compile it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Thousands of small repositories are made and removed: in memory, where there is room for all of them at once.
_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 4 << 30  # pytest makes a folder of our own in it


def _keeps_attributes(folder: Path) -> bool:
    """Return whether files in that folder keep extended attributes, which Linux before 6.6 has not for memory."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            os.setxattr(file.name, "user.bkp", b"")
    except OSError:
        return False
    return True


def pytest_configure(config: pytest.Config) -> None:
    """Have temporary folders in memory, but for those of the lab, which hold disks."""
    if any("vm" in Path(argument).parts for argument in config.args):
        return
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES and _keeps_attributes(_MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


# Whoever started the test run in the background, or with nohup(1), had it ignore Ctrl-C or hang-up, and whatever tests
# start would inherit that.
for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)


@pytest.fixture(autouse=True)
def _ending_signals_as_they_were() -> Iterator[None]:
    """A command lets its program end undisturbed by signals; a test runs the command in this process, which goes on."""
    heard = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in heard}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
