"""PromQL for panels: written without the filters of the dashboard's variables, which are put in here."""

from __future__ import annotations

import re

from bkp.clock import CLOCK_TOLERANCE
from exporter.metrics.registry import CATALOGUE

KEPT = ("up", "process_cpu_seconds_total", "process_resident_memory_bytes")  # what Prometheus and its client add
SERVER = "job, instance"
FILTER = "job=~'$job',instance=~'$instance'"
_SELECTOR = re.compile(rf"\b(bkp_\w+|ALERTS|{'|'.join(KEPT)})\b(\{{([^}}]*)\}})?")


def query(text: str) -> str:
    """Return an expression with the variables `job` and `instance` in each of its selectors.

    Raise `KeyError` for a metric that the exporter does not have. What belongs to no server (`Watchdog`) stays as it
    is.
    """

    def filtered(match: re.Match[str]) -> str:
        name, matchers = match[1], match[3]
        if name.startswith("bkp_"):
            CATALOGUE[name]
        if matchers and "Watchdog" in matchers:
            return match[0]
        return f"{name}{{{FILTER}{',' if matchers else ''}{matchers or ''}}}"

    return _SELECTOR.sub(filtered, " ".join(text.split()))


def metrics_in(text: str) -> list[str]:
    """Return the exporter's metrics that an expression names, each once."""
    return list(dict.fromkeys(match[1] for match in _SELECTOR.finditer(text) if match[1].startswith("bkp_")))


def state_of(metric: str, keys: str = SERVER, where: str = "") -> str:
    """Return an expression for the state that holds of a state set, as its place in the list of states.

    `looks.states_of` has the names and colours for it. Where no state is known, there is no value. `where` are further
    matchers.
    """
    entry = CATALOGUE[metric]
    label = entry.labels[-1]
    more = f"{where}," if where else ""
    codes = [f"{code} * ({metric}{{{more}{label}='{state}'}} == 1)" for code, state in enumerate(entry.states)]
    return f"max by ({keys}) ({' or '.join(codes)})"


def newest(metric: str, keys: str = SERVER, where: str = "") -> str:
    """Return the greatest value for each of `keys`: two exporters of one server make one row."""
    return f"max by ({keys}) ({metric}{f'{{{where}}}' if where else ''})"


def least(expression: str, expected: str) -> str:
    """Return the least of a value, where as many have it as are `expected`: what is not known might be less."""
    return f"min({expression}) and count({expression}) == count({expected})"


def worst(expression: str, expected: str) -> str:
    """Return the least below 1, which is good, else what `least` does: what is bad is so whatever is not known."""
    return f"min({expression}) < 1 or {least(expression, expected)}"


def age(time: str) -> str:
    """Return how long ago a time is, in seconds; nothing where it lies in the future: how old that is nobody knows."""
    return f"((time() - {time}) >= -{CLOCK_TOLERANCE.total_seconds():.0f})"


def late(deadline: str, since: str, keys: str) -> str:
    """Return 1 past a deadline, else 0; nothing where what it follows from (`since`) lies in the future."""
    return f"(time() > bool {deadline}) unless on ({keys}) {since} > time() + {CLOCK_TOLERANCE.total_seconds():.0f}"


def milliseconds(expression: str) -> str:
    """Return a time as Grafana's time units want it: in milliseconds. 0, which means never, stays 0."""
    return f"{expression} * 1000"


def beyond(value: str, warning: str, critical: str | None = None) -> str:
    """Return 0 up to the exported limits, 1 above the first, 2 above the second: as pools are judged."""
    return _against(">", value, warning, critical)


def reached(value: str, warning: str, critical: str | None = None) -> str:
    """Return 0 below the exported limits, 1 from the first on, 2 from the second on: as disks are judged."""
    return _against(">=", value, warning, critical)


def _against(sign: str, value: str, *limits: str | None) -> str:
    return " + ".join(f"({value} {sign} bool {limit})" for limit in limits if limit is not None)
