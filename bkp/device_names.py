"""Names of one disk's devices."""

from __future__ import annotations

import re

_NAMESPACE = re.compile(r"(/dev/nvme[0-9]+)n[0-9]+")


def disk_key(device: str) -> str:
    """Return the same text for all devices of one disk: smartctl lists an NVMe disk by its controller."""
    found = _NAMESPACE.fullmatch(device)
    return found[1] if found else device
