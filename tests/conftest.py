"""What every test shares: the environment that the real programs run in."""

import os
import signal
import sys
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
