#!/usr/bin/python3 -IS
"""In a program's place: has the process that loaded it do this call, as this process would have done it.

The call gets the arguments, the environment, the folder, the open files, the mounts and the ignored signals of this
process, is sent each signal that this process is sent, dies with it, and ends it the way it ended. It does not get the
user, the limits and the forbidden system calls of this process: where those matter, the program itself is started.

Neither site nor os is imported: to load them takes longer than all of this.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import marshal
import posix
import sys

FORWARDED = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGTERM)


def is_open(number: int) -> bool:
    try:
        posix.fstat(number)
    except OSError:
        return False
    return True


def call(folder: str, program: str) -> int | None:
    """Return how the call ended; None if nobody knows."""
    umask = posix.umask(0)
    posix.umask(umask)
    numbers = [number for number in map(int, posix.listdir("/proc/self/fd")) if is_open(number)]
    mounts = posix.open("/proc/self/ns/mnt", posix.O_RDONLY)
    request = marshal.dumps(
        {
            "program": program,
            "arguments": sys.argv[1:],
            "environment": dict(posix.environ),
            "folder": posix.getcwdb(),
            "umask": umask,
            "numbers": numbers,
            "ignored": [number for number in FORWARDED if _signal.getsignal(number) == _signal.SIG_IGN],
        }
    )
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.connect(f"{folder}/socket")
    for number in FORWARDED:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda received, _frame: server.send(bytes([received])))
    files = b"".join(number.to_bytes(4, sys.byteorder) for number in (*numbers, mounts))
    server.sendmsg([len(request).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
    server.sendall(request)
    ended = server.recv(4)
    return int.from_bytes(ended, "big", signed=True) if ended else None


folder, _, program = sys.argv[0].rpartition("/")
code = call(folder, program)
if code is None:
    posix.write(2, f"{program}: the process that had it loaded is gone\n".encode())
    posix._exit(70)
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -code)
posix._exit(code)
