"""Reading an exposition as a client does: with the client library's own parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition import Exposer

if TYPE_CHECKING:
    from exporter.exposition import Exposition
    from tests.support.exporter_world import World

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def expose(world: World) -> Exposition:
    """Return what the exporter makes of a world."""
    return Exposer("0.1.0", process_metrics=False).expose(world.model())


def text_series(content: bytes) -> Series:
    """Return every series of a text exposition; one that is there twice is an error."""
    return _series(parse_text(content.decode("utf-8")))


def openmetrics_series(content: bytes) -> Series:
    """Return every series of an OpenMetrics exposition."""
    return _series(parse_openmetrics(content.decode("utf-8")))  # type: ignore[no-untyped-call]


def _series(families: object) -> Series:
    found: Series = {}
    for family in families:  # type: ignore[attr-defined]
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


class Metrics:
    """The series of a world, asked for by name and labels."""

    def __init__(self, world: World) -> None:
        self.series = text_series(expose(world).text.plain)

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of one series; None if it is absent."""
        return self.series.get((f"bkp_{name}", frozenset(labels.items())))

    def state(self, name: str, state_label: str, **labels: str) -> str | None:
        """Return which state of a state set holds; None if the set is absent. Exactly one must hold."""
        found = {
            dict(key_labels)[state_label]: value
            for (key, key_labels), value in self.series.items()
            if key == f"bkp_{name}" and set(labels.items()) <= key_labels
        }
        if not found:
            return None
        (holds,) = [state for state, value in found.items() if value == 1]
        assert set(found.values()) == {0, 1}
        return holds
