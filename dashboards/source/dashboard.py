"""A whole dashboard: its variables, its links, and its panels on a grid of 24 columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dashboards.source.looks import INFO
from dashboards.source.panels import SOURCE, Panel
from dashboards.source.query import query

WIDTH = 24
TAG = "bkp"
SCHEMA = 36  # Grafana 10.1


@dataclass(frozen=True)
class Line:
    """Panels side by side, all of one height (of about 30 pixels)."""

    height: int
    panels: tuple[Panel, ...]

    def widths(self) -> list[int]:
        """Return how wide each panel is. Those without a width of their own share what is left."""
        shared = [panel for panel in self.panels if not panel.width]
        left = WIDTH - sum(panel.width for panel in self.panels)
        share, rest = divmod(left, len(shared)) if shared else (0, left)
        if rest or (shared and not share) or left < 0:
            raise ValueError(f"{self.panels[0].title}: {len(self.panels)} panels do not fill a width of {WIDTH}")
        return [panel.width or share for panel in self.panels]


def line(height: int, *panels: Panel) -> Line:
    """Return panels side by side."""
    return Line(height, panels)


@dataclass(frozen=True)
class Section:
    """Lines under a heading."""

    title: str
    lines: tuple[Line, ...]


def section(title: str, *lines: Line) -> Section:
    """Return lines under a heading."""
    return Section(title, lines)


@dataclass(frozen=True)
class Variable:
    """A choice of label values, made at the top of the dashboard: several, or all."""

    name: str
    label: str
    values: str  # label_values(...)

    def as_json(self) -> dict[str, Any]:
        """Return it as Grafana has it."""
        return {
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": SOURCE,
            "query": {"query": self.values, "refId": f"variable-{self.name}"},
            "refresh": 2,  # when the time range changes
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            "current": {"text": ["All"], "value": ["$__all"]},
        }


@dataclass(frozen=True)
class Mark:
    """Lines over the graphs (Grafana: annotations), one at each time that a series has as its value, in milliseconds.

    Title and text may name labels, as legends do.
    """

    name: str
    times: str
    title: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return it as Grafana's data source for Prometheus has it."""
        return {
            "name": self.name,
            "datasource": SOURCE,
            "enable": True,
            "iconColor": INFO,
            "expr": query(self.times),
            "step": "60s",
            "titleFormat": self.title,
            "textFormat": self.text,
            "tagKeys": "",
            "useValueForTime": True,
        }


DATASOURCE: dict[str, Any] = {
    "type": "datasource",
    "name": "datasource",
    "label": "Data source",
    "query": "prometheus",
    "refresh": 1,
}
JOB = Variable("job", "Job", "label_values(bkp_exporter_build_info, job)")
INSTANCE = Variable("instance", "Instance", "label_values(bkp_exporter_build_info{job=~'$job'}, instance)")


@dataclass(frozen=True)
class Dashboard:
    """What one file says. `uid` never changes: links and bookmarks have it."""

    uid: str
    title: str
    about: str
    sections: tuple[Section, ...]
    variables: tuple[Variable, ...] = ()
    marks: tuple[Mark, ...] = ()
    since: str = "now-7d"

    def as_json(self) -> dict[str, Any]:
        """Return it as Grafana imports and provisions it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": [TAG],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": False,
            "timezone": "browser",
            "refresh": "1m",
            "time": {"from": self.since, "to": "now"},
            "graphTooltip": 1,
            "links": [
                {
                    "type": "dashboards",
                    "title": "Backups",
                    "tags": [TAG],
                    "asDropdown": True,
                    "includeVars": True,
                    "keepTime": True,
                }
            ],
            "templating": {
                "list": [DATASOURCE, *(each.as_json() for each in (JOB, INSTANCE, *self.variables))],
            },
            "annotations": {"list": [each.as_json() for each in self.marks]},
            "panels": self._panels(),
        }

    def _panels(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        y = 0
        for part in self.sections:
            found.append(
                {
                    "id": len(found) + 1,
                    "type": "row",
                    "title": part.title,
                    "collapsed": False,
                    "panels": [],
                    "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
                }
            )
            y += 1
            for each in part.lines:
                x = 0
                for panel, width in zip(each.panels, each.widths(), strict=True):
                    place = {"x": x, "y": y, "w": width, "h": each.height}
                    found.append(panel.as_json(len(found) + 1, place))
                    x += width
                y += each.height
        return found


def as_text(board: Dashboard) -> str:
    """Return the file's content."""
    return json.dumps(board.as_json(), indent=2, ensure_ascii=False) + "\n"
