"""Chooses the format that a client wants, from the Accept and Accept-Encoding headers of RFC 9110."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Format = Literal["text", "openmetrics"]

_MAX_ITEMS = 32


def choose_format(accept: str) -> Format:
    """Return the format with the highest quality in an Accept header; text 0.0.4 if it names none of ours."""
    best: Format = "text"
    best_quality = 0.0
    for media, parameters in _items(accept):
        quality = _quality(parameters)
        if media == "application/openmetrics-text" and parameters.get("version", "1.0.0") == "1.0.0":
            offered: Format = "openmetrics"
        elif media == "text/plain" and parameters.get("version", "0.0.4") == "0.0.4":
            offered = "text"
        else:
            continue
        if quality > best_quality:
            best, best_quality = offered, quality
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip."""
    allowed = {coding: _quality(parameters) > 0 for coding, parameters in _items(accept_encoding)}
    return allowed.get("gzip", allowed.get("x-gzip", allowed.get("*", False)))


def _items(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for item in header.split(",", _MAX_ITEMS)[:_MAX_ITEMS]:
        value, *rest = item.split(";")
        pairs = (part.partition("=") for part in rest)
        yield value.strip().lower(), {key.strip().lower(): text.strip().strip('"') for key, _, text in pairs}


def _quality(parameters: dict[str, str]) -> float:
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
