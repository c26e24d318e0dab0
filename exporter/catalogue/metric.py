"""What a metric is, before it has a value: the type of the catalogue's entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "info"]
Unit = Literal["seconds", "bytes"]


@dataclass(frozen=True)
class Metric:
    """One metric family.

    `name` is the full name, as a query spells it. `states` are the values of the last label where the family is a
    state set: one series per state, exactly one of them 1. `absent` says when there is no sample, because an unknown
    value is never exported as a number.
    """

    name: str
    help: str
    source: str
    labels: tuple[str, ...] = ()
    unit: Unit | None = None
    kind: Kind = "gauge"
    states: tuple[str, ...] = ()
    absent: str = ""

    @property
    def family(self) -> str:
        """Return the name of the family in the client library's sense: an info family lacks its suffix."""
        return self.name.removesuffix("_info") if self.kind == "info" else self.name


@dataclass(frozen=True)
class Section:
    """The metrics of one collector, and the sentence that introduces them in the documentation."""

    collector: str
    title: str
    about: str
    metrics: tuple[Metric, ...]
