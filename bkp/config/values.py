"""Values that people write as text: durations, sizes, schedules, addresses; parsed once, when the file is read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from bkp.calendar import SCHEDULE_FORM, Schedule
from bkp.quantities import DURATION_FORM, SIZE_FORM, format_duration, parse_duration, parse_size


class Duration(timedelta):
    """A span of time, written `26h` or `1h30m`."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Return the duration in `text`; raise ValueError naming the accepted forms."""
        return cls(seconds=parse_duration(text).total_seconds())

    def __str__(self) -> str:
        return format_duration(self)


class Size(int):
    """A number of bytes, written `500M` or `1G` (powers of 1024)."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """Return the size in `text`; raise ValueError naming the accepted forms."""
        return cls(parse_size(text))

    def __str__(self) -> str:
        count, units = int(self), ["", "K", "M", "G", "T", "P"]
        while count and count % 1024 == 0 and len(units) > 1:
            count //= 1024
            units.pop(0)
        return f"{count}{units[0]}"


class ListenAddress:
    """Where the exporter listens, written `127.0.0.1:10045` or `[::1]:10045`."""

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ListenAddress) and (other.host, other.port) == (self.host, self.port)

    def __hash__(self) -> int:
        return hash((self.host, self.port))

    @classmethod
    def parse(cls, text: str) -> ListenAddress:
        """Return the address in `text`; raise ValueError unless it is HOST:PORT with a numeric or plain host name."""
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})", text, re.ASCII)
        if match is None or int(match[3]) > 65535 or not (match[2] or _is_ipv6(match[1])):
            raise ValueError(f"wanted {LISTEN_FORM}")
        return cls(match[1] or match[2], int(match[3]))

    def __repr__(self) -> str:
        return f"ListenAddress({self.host!r}, {self.port})"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_ipv6(text: str) -> bool:
    import ipaddress  # start-up time: only the bracketed form needs it

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


LISTEN_FORM = "an address such as 127.0.0.1:10045 or [::1]:10045"

_PARSERS = {
    Duration: (Duration.parse, DURATION_FORM),
    Size: (Size.parse, SIZE_FORM),
    Schedule: (Schedule, SCHEDULE_FORM),
    ListenAddress: (ListenAddress.parse, LISTEN_FORM),
}
_PATTERNS = {Duration: r"^[0-9]+[smhdw]( ?[0-9]+[smhdw])*$", Size: r"^[0-9]+(\.[0-9]+)? ?([KMGTP](i?B)?|B)?$"}


def decode_value(kind: type, value: Any) -> Any:
    """Turn plain data into one of our value types (msgspec's dec_hook). Raise ValueError with the accepted form."""
    if kind not in _PARSERS:
        raise NotImplementedError(kind)
    parse, form = _PARSERS[kind]
    if kind is Size and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Size(value)
    if not isinstance(value, str):
        raise ValueError(f"wanted {form}")  # noqa: TRY004  # msgspec turns ValueError into an error with a path
    return parse(value)


def value_schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema of one of our value types (msgspec's schema_hook)."""
    if kind not in _PARSERS:
        raise NotImplementedError(kind)
    form = _PARSERS[kind][1]
    schema: dict[str, Any] = {"type": "string", "description": f"{form[0].upper()}{form[1:]}."}
    if kind is Size:
        schema |= {"type": ["string", "integer"], "minimum": 0}
    return schema | ({"pattern": _PATTERNS[kind]} if kind in _PATTERNS else {})
