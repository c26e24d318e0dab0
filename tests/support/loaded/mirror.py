"""A program that tells as JSON what it was called with, and then does as it is told."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

_SIGNALS = ("SIGHUP", "SIGINT", "SIGTERM")


def main() -> None:
    """Do `sys.argv[1]`: tell; wait for a signal; die of one; leave a thread behind; fail with words."""
    deed, *more = sys.argv[1:]
    if deed == "tell":
        umask = os.umask(0)
        os.umask(umask)
        told = {
            "arguments": more,
            "environment": dict(os.environ),
            "folder": os.getcwd(),  # noqa: PTH109  # what the kernel says
            "umask": umask,
            "input": sys.stdin.read(),
            "files": {path.name: os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()},  # noqa: PTH115
            "ignored": [name for name in _SIGNALS if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN],
            "mounts": Path("/proc/self/mountinfo").read_text(encoding="utf-8"),
        }
        json.dump(told, sys.stdout)
    elif deed == "wait":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        sys.stdout.write(f"{os.getpid()}\n")
        sys.stdout.flush()
        time.sleep(60)
    elif deed == "die":
        os.kill(os.getpid(), int(more[0]))
    elif deed == "linger":
        threading.Timer(0.2, lambda: sys.stdout.write("the last thread has ended\n")).start()
    else:
        sys.exit("it does not know what to do")


if __name__ == "__main__":
    main()
