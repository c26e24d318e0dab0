"""The reference tables of docs/configuration.md, made from the model and the example's comments.

`python -m bkp.config.reference docs/configuration.md` renews what stands between its two marks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bkp.config.describe import ANY, KeyPath, descriptions
from bkp.config.schema import bare_schema, sections

BEGIN = "<!-- tables: python -m bkp.config.reference docs/configuration.md -->"
END = "<!-- end of tables -->"


def tables() -> str:
    """Return one table for each section, in Markdown."""
    definitions, prose = bare_schema()["$defs"], descriptions()
    return "\n".join(_section(path, definitions[name], prose) for path, name in sections())


def renewed(page: str) -> str:
    """Return the page with its tables made anew. Raise ValueError where its marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def _section(path: KeyPath, definition: dict[str, Any], prose: dict[KeyPath, str]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = definition.get("required", [])
    for key, field in definition["properties"].items():
        default = "required" if key in required else _default(field)
        rows.append(f"| `{key}` | {_form(field)} | {default} | {_cell(prose.get((*path, key), ''))} |")
    return (
        f"### {_title(path)}\n\n{_cell(prose.get(path, '') or definition['description'])}\n\n" + "\n".join(rows) + "\n"
    )


def _title(path: KeyPath) -> str:
    if not path:
        return "The top level"
    return "`" + ".".join("NAME" if step == ANY and path[0] != "audit" else step for step in path) + "`"


def _default(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "as below"
    default = field.get("default")
    if default is None:
        return "none"
    if default and isinstance(default, list) and isinstance(default[0], dict):
        return ", ".join(f"`{item['name']}`" for item in default)
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _form(field: dict[str, Any]) -> str:
    """Say in a few words what may stand there."""
    if "anyOf" in field:
        options = [_form(option) for option in field["anyOf"] if option != {"type": "null"}]
        return " or ".join(options) + " or `null`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return "a section"
    if field["type"] == "array":
        return "a list: " + _form(field["items"])
    if field["type"] == "object":
        return "a section for each name"
    if field["type"] in ("integer", "number"):
        return _number(field)
    plain = {"boolean": "`true` or `false`", "string": "text"}
    return _cell(field.get("description", "").rstrip(".") or plain[field["type"]])


def _number(field: dict[str, Any]) -> str:
    kind = "a whole number" if field["type"] == "integer" else "a number"
    low, high = field.get("minimum"), field.get("maximum")
    return kind + (f" from {low} to {high}" if high is not None else f", at least {low}" if low is not None else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text(encoding="utf-8")), encoding="utf-8")
