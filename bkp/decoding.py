"""JSON to typed records, in as many threads as there may be.

msgspec (0.22) builds what it knows of a type when it first meets it. A second thread that meets the type meanwhile ends
the whole process with a segmentation fault. So a type is made ready under a lock, once.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_LOCK = threading.Lock()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode(content: bytes, kind: type[T]) -> T:
    """Return the JSON in `content` as a `kind`; raise what `msgspec.json.decode` raises."""
    return _decoder(kind).decode(content)


def convert(data: Any, kind: Any, **options: Any) -> Any:
    """Return plain data as a `kind`; options and errors are those of `msgspec.convert`."""
    _decoder(kind)
    return msgspec.convert(data, kind, **options)


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    with _LOCK:
        found = _DECODERS.get(kind)
        if found is None:
            found = _DECODERS[kind] = msgspec.json.Decoder(kind)
        return found
