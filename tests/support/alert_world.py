"""Servers as Prometheus sees them: whether they answer, and what they say while they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.promtool import Sampled, Story

DAY = 24 * 60  # minutes
COLLECTORS = ("concerns", "jobs", "pools", "disks")


class Target:
    """One exporter in a story, by its `instance`. While it is silent, none of its series is scraped."""

    COLLECTORS = COLLECTORS

    def __init__(
        self,
        story: Story,
        instance: str,
        silent: Callable[[int], bool] = lambda _: False,
        failing: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._story = story
        self._silent = silent
        self.labels = {"job": "bkp", "instance": instance}
        story.sample("up", lambda minute: float(not silent(minute)), **self.labels)
        for collector in COLLECTORS:
            self.sample(
                "bkp_exporter_collector_success", lambda minute: float(not failing(minute)), collector=collector
            )

    def sample(self, name: str, value: Sampled, **labels: str) -> None:
        """Add a series of this server."""
        self._story.sample(
            name, lambda minute: None if self._silent(minute) else value(minute), **self.labels, **labels
        )

    def alert(self, **labels: str) -> dict[str, str]:
        """Return the labels of an alert about this server."""
        return {**self.labels, **labels}

    def concern(self, kind: str, object_: str, severity: str) -> dict[str, str]:
        """Return the labels of an alert on a kind of concern."""
        return self.alert(kind=kind, object=object_, severity=severity)


def then(*steps: tuple[int, float | None]) -> Sampled:
    """Return what has each value from its minute on, and none before the first."""

    def value(minute: int) -> float | None:
        found: float | None = None
        for since, this in steps:
            found = this if minute >= since else found
        return found

    return value
