"""Stories told to `promtool test rules`: what was scraped when, and which alerts fire then.

A story has a clock that starts at 0 and samples at every step, as a scrape makes them: a series that ends, ends with a
staleness marker. What is expected is compared with everything an alert says: all labels, and its texts.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tests.support.alert_rules import ALERTS, GROUPS, RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

FIRST = {"bkp-recorded", "bkp-overdue"}  # what the alerts are built on
Values = list[float | None]
Sampled = Callable[[int], float | None]  # a value at each minute; None where the scrape did not have it


class Story:
    """Samples of `length` minutes, one every `step` minutes, and what is expected of the alerts."""

    def __init__(self, length: int, step: int = 1) -> None:
        self.step = step
        self._count = length // step + 1
        self._series: dict[str, Values] = {}
        self._expected: list[dict[str, Any]] = []
        self._shown: list[dict[str, Any]] = []

    def sample(self, name: str, value: Sampled, **labels: str) -> None:
        """Add a series."""
        inside = ",".join(f"{key}={json.dumps(text)}" for key, text in labels.items())
        self._series[f"{name}{{{inside}}}"] = [value(number * self.step) for number in range(self._count)]

    def scrapes(self, expositions: Sequence[bytes], start: float, **labels: str) -> None:
        """Add what an exporter exposed at every step, as text; `start` is the clock's reading at the first.

        promtool's clock begins at 0, so every point in time is moved by that; 0 stays 0, as it means never.
        """
        target = "".join(f",{key}={json.dumps(text)}" for key, text in labels.items())
        found: dict[str, Values] = {}
        for number, exposition in enumerate(expositions):
            for line in exposition.decode("utf-8").splitlines():
                if not line.startswith("#"):
                    series, _, text = line.rpartition(" ")
                    value = float(text)
                    if series.partition("{")[0].endswith("_timestamp_seconds") and value:
                        value -= start
                    values = found.setdefault(series, [])
                    values += [None] * (number - len(values))
                    values.append(value)
        for series, values in found.items():
            name, _, rest = series.removesuffix("}").partition("{")
            inside = f"{rest}{target}" if rest else target.removeprefix(",")
            self._series[f"{name}{{{inside}}}"] = values + [None] * (self._count - len(values))

    def shows(self, expression: str, minute: int, *labels: dict[str, str]) -> None:
        """Expect an expression to have exactly these series at a minute, each of them 1."""
        wanted = [
            {"labels": "{" + ",".join(f"{key}={json.dumps(text)}" for key, text in each.items()) + "}", "value": 1}
            for each in labels
        ]
        self._shown.append({"expr": expression, "eval_time": f"{minute}m", "exp_samples": wanted})

    def fires(self, alert: str, minute: int, *labels: dict[str, str]) -> None:
        """Expect exactly these of an alert to fire at a minute; without labels, that it does not fire."""
        wanted = [
            {
                "exp_labels": each,
                "exp_annotations": ALERTS[alert].rendered(each),
            }
            for each in labels
        ]
        self._expected.append({"alertname": alert, "eval_time": f"{minute}m", "exp_alerts": wanted})

    def silent(self, alert: str, *minutes: int) -> None:
        """Expect that an alert does not fire at any of these minutes."""
        for minute in minutes:
            self.fires(alert, minute)

    def as_test(self) -> dict[str, Any]:
        """Return it as promtool reads it."""
        series = [{"series": name, "values": notation(values)} for name, values in self._series.items()]
        return {
            "interval": f"{self.step}m",
            "input_series": series,
            "alert_rule_test": self._expected,
            "promql_expr_test": self._shown,
        }


def notation(values: Values) -> str:
    """Return values in promtool's notation. The first missing one after a value is a staleness marker."""
    words = []
    before: float | None = None
    for value, group in groupby(values):
        count = len(list(group))
        if value is None:
            if before is not None:
                words.append("stale")
                count -= 1
            words += [f"_x{count}"] if count else []
        else:
            words.append(f"{value!r}x{count - 1}" if count > 1 else repr(value))
        before = value
    return " ".join(words)


def between(first: int, last: int, value: float = 1.0) -> Sampled:
    """Return what has a value from one minute to another, both included, and none otherwise."""
    return lambda minute: value if first <= minute <= last else None


def always(value: float = 1.0) -> Sampled:
    """Return what has one value all the time."""
    return lambda _: value


def never(_: int) -> None:
    """Have no value at any minute."""


def judge(folder: Path, stories: Iterable[Story], rooms: Collection[str] = ()) -> None:
    """Have promtool judge stories with all shipped rules, or with those of some files.

    Raise AssertionError with what it says if it disagrees.
    """
    stories = list(stories)
    test = folder / "stories.json"  # JSON is YAML
    content = {
        "rule_files": [str(path) for path in sorted(RULES.glob("*.yml")) if not rooms or path.stem in rooms],
        "evaluation_interval": f"{min(story.step for story in stories)}m",
        "group_eval_order": [] if rooms else sorted(GROUPS, key=lambda name: name not in FIRST),
        "tests": [story.as_test() for story in stories],
    }
    test.write_text(json.dumps(content), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(test)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
