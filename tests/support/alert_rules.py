"""The shipped rules as data: alerts and recording rules, and what their expressions name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import yaml

from bkp.resources import data_dir

RULES = data_dir("dashboards") / "prometheus/rules"
RUNBOOKS = data_dir("dashboards").parent / "docs/runbooks"
LABEL = re.compile(r"\$labels\.(\w+)")


@dataclass(frozen=True)
class Alert:
    """One alert. `room` is the name of its file; `hold` how long it must hold (`for`), as Prometheus writes it."""

    name: str
    room: str
    expr: str
    hold: str
    severity: str
    annotations: dict[str, str]

    @property
    def kinds(self) -> set[str]:
        """Return the kinds of concern that it fires on."""
        return set(re.findall(r'\bkind="(\w+)"', self.expr))

    def rendered(self, labels: dict[str, str]) -> dict[str, str]:
        """Return its annotations for an alert with these labels. A label that is not there is a KeyError."""
        return {
            key: re.sub(
                r"\{\{ \$labels\.(\w+)( \| urlquery)? \}\}",
                lambda found: quote_plus(labels[found[1]]) if found[2] else labels[found[1]],
                text,
            )
            for key, text in self.annotations.items()
        }


def _groups() -> list[tuple[str, dict[str, Any]]]:
    files = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*.yml"))}
    return [(room, group) for room, content in files.items() for group in content["groups"]]


def _alert(room: str, rule: dict[str, Any]) -> Alert:
    severity = rule.get("labels", {}).get("severity", "")
    return Alert(rule["alert"], room, rule["expr"], rule.get("for", "0s"), severity, rule["annotations"])


GROUPS: list[str] = [group["name"] for _, group in _groups()]
_RULES: list[tuple[str, dict[str, Any]]] = [(room, rule) for room, group in _groups() for rule in group["rules"]]
ALERTS: dict[str, Alert] = {rule["alert"]: _alert(room, rule) for room, rule in _RULES if "alert" in rule}
RECORDED: dict[str, list[str]] = {}  # several rules may record under one name
for _, _rule in _RULES:
    if "record" in _rule:
        RECORDED.setdefault(_rule["record"], []).append(_rule["expr"])
