"""The report as JSON, and the JSON Schemas that document it and other files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from auditor.report import Report


def render_json(report: Report) -> bytes:
    """Return the whole report as indented JSON in UTF-8."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def json_schema(title: str, kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type, generated from its fields."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **msgspec.json.schema(kind)}
