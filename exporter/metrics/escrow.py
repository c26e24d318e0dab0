"""What lies outside the server: the key in use, and what people vouch for at each location."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.attestations.duties import State
from bkp.attestations.model import LEVELS
from bkp.escrow import escrow_standings, key_of, opened_by
from exporter.metrics.metric import Metric, MetricSection, Table, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.attestations.duties import Standing
    from bkp.past import KeySeen
    from exporter.metrics.metric import Labels

_UNKNOWN = "which key is in use is not known, or what was attested cannot be trusted"


def _standings(model: Model) -> Iterator[tuple[Labels, Standing]]:
    for each in escrow_standings(model.config.config, model.survey):
        yield (label_text(each.duty.location.name), each.duty.topic.word, each.duty.target or ""), each


def _keys(model: Model) -> Iterator[tuple[Labels, KeySeen]]:
    for name in model.config.config.repositories:
        if (key := key_of(model.survey, name)) is not None:
            yield (name,), key


def _opened(model: Model) -> Iterator[tuple[Labels, Standing]]:
    for name in model.config.config.repositories:
        if (proof := opened_by(model.config.config, model.survey, name)) is not None:
            yield (name,), proof


def _level(standing: Standing) -> float | None:
    """Return 1 to 3 for an attestation that counts, 0 where none does; None where that is not known."""
    if standing.state is State.UNKNOWN:
        return None
    record = standing.record
    return LEVELS.index(record.level) + 1 if standing.state.counts and record is not None else 0


SECTION = MetricSection[Model](
    "escrow",
    "Escrow",
    "What each location outside the server is to hold, and what people vouch for (`bkp-audit attest`,"
    " `bkp-run escrow-drill`). An attestation ends with its key.",
    Table[Model, "Standing"](
        ("location", "what", "target"),
        _standings,
        Metric(
            "bkp_escrow_level",
            "Level of the attestation that counts: 1 seen, 2 matched, 3 opened; 0 where none counts.",
            "attestations.jsonl, against key_fingerprint of the last run, or of a ZFS key in observed/datasets.json",
            _level,
            absent=_UNKNOWN,
        ),
        Metric(
            "bkp_escrow_match",
            "Whether the copy that was compared last is of the key in use (1) or of another one (0).",
            "bound_to of the last attestation, against the same",
            lambda standing: standing.matches,
            absent=f"{_UNKNOWN}, or nothing was compared there",
        ),
        Metric(
            "bkp_escrow_attested_timestamp_seconds",
            "When the location's thing was attested last, whether that counts or not.",
            "at of the attestation",
            lambda standing: standing.record.at if standing.record is not None else None,
            absent="nobody has attested it",
        ),
        Metric(
            "bkp_escrow_deadline_timestamp_seconds",
            "When the attestation that counts stops counting.",
            "valid_until of the attestation, at and audit.escrow.….valid_for",
            lambda standing: standing.ends if standing.state.counts else None,
            absent="none counts",
        ),
    ),
    Table[Model, "KeySeen"](
        ("repository",),
        _keys,
        Metric(
            "bkp_repository_key_info",
            "The first 12 digits of the fingerprint of the repository's key, as the last run found it.",
            "key_fingerprint of the newest run that has it",
            lambda key: (key.fingerprint[:12],),
            labels=("fingerprint",),
        ),
        Metric(
            "bkp_repository_key_changed_timestamp_seconds",
            "Start of the first run that found the repository's key as it is now.",
            "started_at of that run",
            lambda key: key.since,
        ),
        absent="no run has recorded a key",
    ),
    Table[Model, "Standing"](
        ("repository",),
        _opened,
        Metric(
            "bkp_escrow_opened_timestamp_seconds",
            "When key and passphrase of one location opened the repository last.",
            "at of the attestation of level opened",
            lambda proof: proof.record.at if proof.record is not None else None,
        ),
        Metric(
            "bkp_escrow_opened_deadline_timestamp_seconds",
            "When that proof stops counting.",
            "valid_until of that attestation, a year at most",
            lambda proof: proof.ends,
        ),
        absent="no location is proven to open it with the key in use",
    ),
)
