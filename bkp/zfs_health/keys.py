"""What tells the wrapping key of an encryption root from the one before it (zfs-change-key(8)). Pure.

Of a passphrase salt and iterations: `zfs change-key` draws a new salt each time. Of a raw or hex key ZFS tells nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PROPERTIES = ("guid", "keyformat", "pbkdf2iters")
SALT = "pbkdf2salt"  # not in zfsprops(7)
SALTED = "passphrase"  # the form of key that has a salt


def fingerprint(values: Mapping[str, str], *more: str) -> str:
    """Return a digest of an encryption root's properties that changes with its key, and of what else is known of it."""
    parts = [values.get(name, "-") for name in (*PROPERTIES, SALT)]
    return hashlib.sha256("\n".join([*parts, *more]).encode()).hexdigest()
