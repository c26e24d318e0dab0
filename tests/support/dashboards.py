"""The shipped dashboards as data: their panels, their questions, their links."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import promql_parser

from bkp.resources import data_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAFANA = data_dir("dashboards") / "grafana"
FILES = sorted(path.stem for path in GRAFANA.glob("*.json"))
GRAPHS = ("timeseries", "state-timeline")
DATA_PANELS = ("stat", "table", *GRAPHS)


@dataclass(frozen=True)
class Board:
    """One file."""

    name: str
    content: dict[str, Any]

    @property
    def panels(self) -> list[dict[str, Any]]:
        """Return the panels that are no headings."""
        return [panel for panel in self.content["panels"] if panel["type"] != "row"]

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """Return the variables by name."""
        return {each["name"]: each for each in self.content["templating"]["list"]}

    def questions(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield each panel with each of its targets, and each mark over the graphs as if it were one."""
        for panel in self.panels:
            for target in panel.get("targets", ()):
                yield panel, target

        for mark in self.content["annotations"]["list"]:
            yield {"title": mark["name"], "type": "timeseries"}, mark

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the title of a panel and the address of each link on its data."""
        for panel in self.panels:
            for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", ()):
                yield panel["title"], link["url"]
            for override in panel.get("fieldConfig", {}).get("overrides", ()):
                for each in override["properties"]:
                    if each["id"] == "links":
                        for link in each["value"]:
                            yield panel["title"], link["url"]


BOARDS = {name: Board(name, json.loads((GRAFANA / f"{name}.json").read_text(encoding="utf-8"))) for name in FILES}


def expanded(text: str, **values: str) -> str:
    """Return an expression or address as Grafana asks it when `All` is chosen, but for what `values` choose."""
    found = text.replace("$__rate_interval", "1m")
    return re.sub(r"\$(\w+)\b", lambda match: values.get(match[1], ".+"), found)


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """Return every selector of an expression."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def grows(expression: str) -> list[str]:
    """Return the ranges of `rate` and its kin in an expression, as they are written."""
    return re.findall(r"\b(?:rate|irate|increase)\([^\[]*\[([^\]]+)\]", expression)
