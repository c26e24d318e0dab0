"""Rows on what lies at locations outside the server: key and passphrase of a repository, keys of a pool's datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.attestations import topics
from bkp.attestations.duties import NO_KEY, State
from bkp.escrow import escrow_standings, opened_by
from exporter.page.parts import Row, moment_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.attestations.duties import Standing
    from exporter.model import Model

_OPEN = frozenset({State.NEVER, State.UNKNOWN})


def of_repository(model: Model, name: str) -> Iterator[Row]:
    """Say what lies at each location, and which of them was proven to open the repository."""
    config, survey = model.config.config, model.survey
    if config.repositories[name].encryption in NO_KEY or not config.audit.escrow:
        return
    if survey.attestations.problem is not None:
        yield Row("keys outside", "not known: the attestations cannot be trusted", tone="warn")
        return
    for each in escrow_standings(config, survey):
        if each.duty.target == name and each.duty.topic in {topics.KEY, topics.PASSPHRASE}:
            yield _row(model, each, each.duty.topic.word)
    proof = opened_by(config, survey, name)
    moment = moment_of(survey, proof.record.at) if proof is not None and proof.record is not None else None
    text = f"from {proof.duty.location.name}" if proof is not None else "never, or not within a year"
    yield Row("opened by a copy", text, moment, tone="good" if proof is not None else "warn")


def of_pool(model: Model, pool: str) -> Iterator[Row]:
    """Say of each encryption root of the pool that the backup lies on, whether its key lies where it is to."""
    for each in escrow_standings(model.config.config, model.survey):
        root = each.duty.target
        if each.duty.topic is topics.ZFS_KEY and root is not None and root.partition("/")[0] == pool:
            yield _row(model, each, f"key of {root}")


def _row(model: Model, standing: Standing, what: str) -> Row:
    record = standing.record
    moment = moment_of(model.survey, record.at) if record is not None else None
    held = record.level if record is not None and standing.state.counts else standing.state.value
    tone = "good" if standing.state.counts else "warn" if standing.state in _OPEN else "bad"
    return Row(f"{what} at {standing.duty.location.name}", held, moment, tone=tone)
