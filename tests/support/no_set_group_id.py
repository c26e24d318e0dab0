"""Run a program that may not set the set-group-ID bit, as RestrictSUIDSGID= of its unit has it (systemd.exec(5)).

python no_set_group_id.py PROGRAM [ARGUMENT…]
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys

_ALLOW, _ERRNO, _MASKED_EQUAL = 0x7FFF0000, 0x00050000, 7  # seccomp.h of libseccomp
_MODE_AT = {b"chmod": 1, b"fchmod": 1, b"fchmodat": 2, b"mkdir": 1, b"mkdirat": 2}  # which argument the mode is


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def _forbid() -> None:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    for name, argument in _MODE_AT.items():
        call = library.seccomp_syscall_resolve_name(name)
        asked = _Comparison(argument, _MASKED_EQUAL, stat.S_ISGID, stat.S_ISGID)
        added = library.seccomp_rule_add_array(
            rules, ctypes.c_uint32(_ERRNO | errno.EPERM), call, 1, ctypes.byref(asked)
        )
        if added != 0:
            raise OSError(-added, f"cannot forbid {name.decode()}")
    if failed := library.seccomp_load(rules):
        raise OSError(-failed, "cannot load the rules")


if __name__ == "__main__":
    _forbid()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606
