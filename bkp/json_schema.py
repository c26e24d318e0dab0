"""JSON Schemas of our types, for whoever reads or writes our files with other programs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(title: str, kind: Any, *, hook: Callable[[type], dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a type; `hook` gives that of a type which msgspec does not know."""
    schema = msgspec.json.schema(kind, schema_hook=hook)
    for part in schema.get("$defs", {}).values():
        # Python 3.13 takes a docstring's indentation away when it compiles it, older ones do not.
        if "description" in part:
            part["description"] = inspect.cleandoc(part["description"])
    return {"$schema": DIALECT, "title": title, **schema}
