"""The report as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from auditor.report import Report


def render_json(report: Report) -> bytes:
    """Return the whole report as indented JSON in UTF-8."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
