"""The kinds of panel but for tables. A panel becomes JSON when the dashboard places it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboards.source.query import query

if TYPE_CHECKING:
    from dashboards.source.looks import Look

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
NOTHING_KNOWN = "not known"


@dataclass(frozen=True)
class Link:
    """A link that follows a click on a value."""

    title: str
    url: str
    outside: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as Grafana has it."""
        return {"title": self.title, "url": self.url, "targetBlank": self.outside}


def to(uid: str, title: str, **variables: str) -> Link:
    """Return a link to another of our dashboards, with data source, job and time kept, and these variables set."""
    kept = ["${datasource:queryparam}", "${job:queryparam}"]
    if "instance" not in variables:
        kept.append("${instance:queryparam}")
    values = [f"var-{name}=${{{value}}}" for name, value in variables.items()]
    return Link(title, f"/d/{uid}?{'&'.join([*kept, *values, '${__url_time_range}'])}")


@dataclass(frozen=True)
class Panel:
    """One panel: its kind, what it asks, how it looks. `width` is of 24; 0 shares what the line has left."""

    kind: str
    title: str
    about: str
    targets: tuple[dict[str, Any], ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    overrides: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    transformations: tuple[dict[str, Any], ...] = ()
    width: int = 0

    def as_json(self, number: int, place: dict[str, int]) -> dict[str, Any]:
        """Return it as Grafana has it, at a place of the grid."""
        panel: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "gridPos": place,
            "options": self.options,
        }
        if self.kind == "text":
            return panel
        return panel | {
            "datasource": SOURCE,
            "targets": list(self.targets),
            "fieldConfig": {"defaults": self.defaults, "overrides": list(self.overrides)},
            "transformations": list(self.transformations),
        }


def target(expression: str, ref: str, **more: Any) -> dict[str, Any]:
    """Return one question to Prometheus."""
    return {"refId": ref, "datasource": SOURCE, "expr": query(expression), **more}


def defaults(look: Look, **more: Any) -> dict[str, Any]:
    """Return the field defaults of a look."""
    found: dict[str, Any] = {
        "unit": look.unit,
        "color": {"mode": "thresholds"},
        "thresholds": look.thresholds(),
        "mappings": look.mappings(),
        **more,
    }
    return found | ({"decimals": look.decimals} if look.decimals is not None else {})


def stat(title: str, expression: str, look: Look, about: str, *links: Link, missing: str = NOTHING_KNOWN) -> Panel:
    """Return one number, on its colour. Without any series it says `missing`, on no colour."""
    return Panel(
        "stat",
        title,
        about,
        (target(expression, "A", instant=True),),
        defaults(look, noValue=missing, links=[link.as_json() for link in links]),
        options={
            "colorMode": "background" if look.coloured else "value",
            "graphMode": "none",
            "justifyMode": "center",
            "textMode": "value",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    )


def timeline(title: str, expression: str, legend: str, look: Look, about: str, *links: Link) -> Panel:
    """Return states over time, one row a series. Where nothing is known, the row has a gap."""
    return Panel(
        "state-timeline",
        title,
        about,
        (target(expression, "A", legendFormat=legend),),
        defaults(
            look,
            noValue=NOTHING_KNOWN,
            custom={"fillOpacity": 80, "lineWidth": 0, "spanNulls": False},
            links=[link.as_json() for link in links],
        ),
        options={
            "mergeValues": True,
            "showValue": "auto",
            "alignValue": "left",
            "rowHeight": 0.9,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def graph(title: str, look: Look, about: str, *series: tuple[str, str], least: float | None = 0) -> Panel:
    """Return lines over time: pairs of expression and legend. A legend that begins with `limit` is a dashed line."""
    dashed = {
        "matcher": {"id": "byRegexp", "options": "/^limit/"},
        "properties": [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
            {"id": "custom.fillOpacity", "value": 0},
        ],
    }
    return Panel(
        "timeseries",
        title,
        about,
        tuple(target(text, chr(ord("A") + n), legendFormat=legend) for n, (text, legend) in enumerate(series)),
        defaults(
            look,
            noValue=NOTHING_KNOWN,
            custom={
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 8,
                "showPoints": "auto",
                "spanNulls": False,
            },
            **({"min": least} if least is not None else {}),
        )
        | {"color": {"mode": "palette-classic"}},
        (dashed,) if any(legend.startswith("limit") for _, legend in series) else (),
        options={
            "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def text(title: str, content: str, about: str) -> Panel:
    """Return Markdown."""
    return Panel("text", title, about, options={"mode": "markdown", "content": content})
