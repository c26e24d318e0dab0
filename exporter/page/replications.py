"""The card of a replication: how far the replica is behind, what it lacks, and what its live server refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.clock import CLOCK_TOLERANCE
from bkp.quantities import format_duration, format_size
from bkp.words import some
from exporter.page.parts import Row, anchor_of, length, moment_of, tone_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from bkp.config.replications import Replication
    from bkp.past import Synced
    from exporter.model import Model


@dataclass(frozen=True)
class ReplicationCard:
    """One replication."""

    anchor: str
    name: str
    source: str
    status: str
    word: str
    rows: tuple[Row, ...]


def replication_card(model: Model, name: str, settings: Replication) -> ReplicationCard:
    """Return the card of a replication. Of one that was never pulled, or never whole, nothing is good."""
    synced = model.pulls.get(name)
    lag = _lag(model, synced)
    thing = f"replication {name}"
    return ReplicationCard(
        anchor=anchor_of(thing),
        name=name,
        source=settings.source,
        status=tone_of(model.concerns, thing, known=lag is not None),
        word="not known" if lag is None else f"{format_duration(lag)} behind",
        rows=tuple(_rows(model, settings, synced, "" if lag is not None else "warn")),
    )


def _lag(model: Model, synced: Synced | None) -> timedelta | None:
    """Return how far the replica is behind; None where a dataset was never received, or the time is no past one."""
    common = synced.result.newest_common_at if synced is not None else None
    if common is None or common > model.survey.now + CLOCK_TOLERANCE:
        return None
    return model.survey.now - common


def _rows(model: Model, settings: Replication, synced: Synced | None, tone: str) -> Iterator[Row]:
    survey = model.survey
    yield Row("here", settings.target)
    limits = f"warning from {length(settings.lag_warning.total_seconds())} on, critical from "
    yield Row("limits", limits + length(settings.lag_critical.total_seconds()))
    if synced is None:
        yield Row("newest in common", "not known: no pull of it has recorded anything", tone=tone)
        return
    result = synced.result
    common = result.newest_common_at
    if common is not None:
        yield Row("newest in common", moment=moment_of(survey, common), tone=tone)
    else:
        yield Row("newest in common", "not known for all of it", tone=tone)
    yield Row("last pull", moment=moment_of(survey, synced.ended_at))
    if result.datasets is None:
        yield Row("datasets", "not known: the live server was not asked", tone="warn")
    else:
        yield Row("datasets", str(len(result.datasets)))
    if result.lacking:
        yield Row("never received", some(list(result.lacking)), tone="bad")
    if result.partial:
        yield Row("cut off", some([each.dataset for each in result.partial]), tone="warn")
    if result.bytes is not None and result.seconds is not None:
        yield Row("received", f"{format_size(result.bytes)} in {length(result.seconds)}")
    yield _gate_row(model, synced)


def _gate_row(model: Model, synced: Synced) -> Row:
    gate, tested = synced.result.gate, synced.result.gate_tested_at
    if gate is None or tested is None:
        return Row("live server refuses", "never tried", tone="warn")
    refused = gate == "refused"
    text = "what it must" if refused else "not what it must"
    return Row("live server refuses", text, moment_of(model.survey, tested), tone="good" if refused else "bad")
