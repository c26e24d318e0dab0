"""The report as JSON, and the JSON Schema that documents it."""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.report import Report


def render_json(report: Report) -> bytes:
    """Return the whole report as indented JSON in UTF-8."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of the report, generated from its types."""
    schema = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "bkp-audit report", **schema}
