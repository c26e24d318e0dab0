"""Tables: one row for each object, one question for each column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboards.source.looks import PLAIN_COUNT, Look
from dashboards.source.panels import NOTHING_KNOWN, Link, Panel, defaults, target
from dashboards.source.query import metrics_in
from exporter.metrics.registry import CATALOGUE


@dataclass(frozen=True)
class Key:
    """A column that shows a label, which all rows have in common or an info metric brings."""

    label: str
    title: str
    look: Look | None = None
    links: tuple[Link, ...] = ()
    width: int | None = None


@dataclass(frozen=True)
class Column:
    """A column that shows a value. Without a title it only brings the labels of its series."""

    title: str
    expression: str
    look: Look = PLAIN_COUNT
    links: tuple[Link, ...] = ()


def table(title: str, about: str, keys: tuple[Key, ...], *columns: Column, sort: str = "") -> Panel:
    """Return a table. Rows with the same labels become one; what is not known of a row says so in its cell."""
    refs = [chr(ord("A") + number) for number in range(len(columns))]
    names = ["Value"] if len(columns) == 1 else [f"Value #{ref}" for ref in refs]
    order = [key.label for key in keys] + [name for name, column in zip(names, columns, strict=True) if column.title]
    hidden = ["Time", *(name for name, column in zip(names, columns, strict=True) if not column.title)]
    if not any(key.label == "job" for key in keys):
        hidden.append("job")
    sorting = [{"displayName": sort.removeprefix("-"), "desc": sort.startswith("-")}] if sort else []
    return Panel(
        "table",
        title,
        about,
        tuple(
            target(column.expression, ref, format="table", instant=True)
            for ref, column in zip(refs, columns, strict=True)
        ),
        defaults(
            Look("none"),
            noValue=NOTHING_KNOWN,
            custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
        ),
        (
            *(_override(key.label, key.title, key.look, key.links, width=key.width) for key in keys),
            *(
                _override(name, column.title, column.look, column.links, about=_help(column.expression))
                for name, column in zip(names, columns, strict=True)
                if column.title
            ),
        ),
        options={"showHeader": True, "cellHeight": "sm", "sortBy": sorting},
        transformations=(
            *([{"id": "merge", "options": {}}] if len(columns) > 1 else []),
            {
                "id": "organize",
                "options": {
                    "excludeByName": dict.fromkeys(hidden, True),
                    "indexByName": {name: index for index, name in enumerate(order)},
                    "renameByName": {},
                },
            },
        ),
    )


def _override(
    field: str, title: str, look: Look | None, links: tuple[Link, ...], *, about: str = "", width: int | None = None
) -> dict[str, Any]:
    properties: list[tuple[str, Any]] = [("displayName", title)]
    if about:
        properties.append(("description", about))
    if look is not None:
        properties += [("unit", look.unit), ("mappings", look.mappings())]
        if look.decimals is not None:
            properties.append(("decimals", look.decimals))
        if look.steps or look.coloured:
            properties.append(("thresholds", look.thresholds()))
        if look.coloured:
            properties.append(("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
        elif any(colour for _, _, colour in look.names):
            properties.append(("custom.cellOptions", {"type": "color-text"}))
    if links:
        properties.append(("links", [link.as_json() for link in links]))
    if width is not None:
        properties.append(("custom.width", width))
    return {
        "matcher": {"id": "byName", "options": field},
        "properties": [{"id": name, "value": value} for name, value in properties],
    }


def _help(expression: str) -> str:
    found = metrics_in(expression)
    return CATALOGUE[found[0]].help if len(found) == 1 else ""
