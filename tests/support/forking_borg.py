"""What tests ask borg by hand: the real one, loaded once and forked for each call.

Loading borg takes longer than what most calls do, and each test calls it, at least for a last check. The programs under
test start it for each call, as they always do.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVER = """
import json, os, sys, time, traceback
from borg.archiver import main

def be_borg(request):
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir("/")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(request[name], os.O_WRONLY), number)
    sys.argv = ["borg", *request["arguments"]]
    main()

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            be_borg(json.loads(line))
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                if not stream.closed:
                    stream.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Answer(NamedTuple):
    """How a call ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class _Loaded:
    """A process that has borg loaded. It ends when its standard input does."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["/usr/bin/python3", "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
        self._one_at_a_time = threading.Lock()
        atexit.register(self._process.communicate)

    def call(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"arguments": arguments, "environment": dict(environment)}
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err, self._one_at_a_time:
            print(json.dumps({**request, "out": out.name, "err": err.name}), file=self._process.stdin, flush=True)
            code = int(self._process.stdout.readline())
            said = [Path(each.name).read_text("utf-8", "surrogateescape") for each in (out, err)]
        return Answer(code, *said)


_loaded = cache(_Loaded)


def call_borg(*arguments: str, environment: Mapping[str, str]) -> Answer:
    """Call borg with this environment and nothing else."""
    return _loaded().call(arguments, environment)
