"""Which disks smartctl found: `smartctl --scan` and `--scan-open`, as JSON and as text."""

from __future__ import annotations

import re

from bkp.disk_health.as_json import tree
from bkp.disk_health.as_json.reader import protocol_of
from bkp.disk_health.model import ScannedDevice
from bkp.disk_health.words import bounded_lines, clean, protocol_named

# a device that could not be opened is printed as a comment, with the reason at its end
_DEVICE = re.compile(r"(?P<closed># )?(?P<name>\S+) -d (?P<type>\S+)(?P<options>(?: [^#\s]\S*)*)(?: # ?(?P<about>.*))?")
_FAILED = re.compile(r"(?P<about>.*?),? (?P<protocol>\S+) device open failed: ?(?P<reason>.*)")
_OPENED = re.compile(r"(?P<about>.*?),? (?P<protocol>\S+) device")


def is_json_scan(document: tree.Tree) -> bool:
    """Whether a decoded output is of `--scan` or `--scan-open`, be it of a host without any disk."""
    argv = tree.rows(document, "smartctl", "argv") or []
    scanned = any(isinstance(word, str) and word.startswith("--scan") for word in argv)
    return "device" not in document and (isinstance(document.get("devices"), list) or scanned)


def read_json_scan(document: tree.Tree) -> list[ScannedDevice]:
    """Return the devices of a decoded scan; an entry without a name is none."""
    found = []
    for item in tree.rows(document, "devices") or []:
        if (name := tree.text(item, "name")) is not None:
            error = tree.at(item, "open_error")
            found.append(
                ScannedDevice(
                    name=clean(name),
                    interface=clean(tree.text(item, "type") or ""),
                    protocol=protocol_of(item),
                    description=clean(tree.text(item, "info_name") or ""),
                    open_error=None if error is None else clean(str(error)) or "no reason given",
                )
            )
    return found


def is_text_scan(text: str) -> bool:
    """Whether a text is of a scan: at least one device, and nothing but devices and comments."""
    lines = [line.strip() for line in bounded_lines(text) if line]
    return any(_DEVICE.fullmatch(line) for line in lines) and all(
        line.startswith("#") or _DEVICE.fullmatch(line) for line in lines
    )


def read_text_scan(text: str) -> list[ScannedDevice]:
    """Return the devices of a scan's text. A line that is only a comment is none."""
    found = []
    for line in bounded_lines(text):
        if match := _DEVICE.fullmatch(line.strip()):
            about = match["about"] or ""
            failed = _FAILED.fullmatch(about)
            parts = failed or _OPENED.fullmatch(about)
            closed = failed is not None or match["closed"] is not None
            found.append(
                ScannedDevice(
                    name=match["name"],
                    interface=match["type"],
                    protocol=protocol_named(parts["protocol"]) if parts else None,
                    description=clean(parts["about"] if parts else about),
                    open_error=clean(failed["reason"] if failed else about) or "no reason given" if closed else None,
                )
            )
    return found
