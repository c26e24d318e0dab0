"""What reaches people: mails that wait, and when the watch last looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.mail import is_watch_wanted
from bkp.mail.outbox import Waiting
from bkp.state.reading import Readable
from bkp.state.watch import LOOKS_MISSED, WATCH_EVERY
from exporter.metrics.metric import Metric, MetricSection, Table, one_row
from exporter.model import Model

if TYPE_CHECKING:
    from datetime import datetime

_UNKNOWN = "the outbox cannot be listed"


def _confirmed(model: Model) -> datetime | None:
    confirmed = model.survey.past.confirmed
    return confirmed.at if confirmed is not None and confirmed.to == model.config.config.mail.to else None


def _looked(model: Model) -> datetime | None:
    reading = model.survey.watch
    return reading.value.looked_at if isinstance(reading, Readable) else None


def _limit(model: Model) -> float | None:
    return (LOOKS_MISSED * WATCH_EVERY).total_seconds() if is_watch_wanted(model.config.config) else None


SECTION = MetricSection[Model](
    "mail",
    "Mail",
    "What waits in the outbox, and what mails the changes of concerns. Contents are published nowhere.",
    Table[Model, Waiting](
        (),
        lambda model: [((), model.survey.outbox)] if model.survey.outbox.problem is None else [],
        Metric(
            "bkp_outbox_mails",
            "Mails that wait to be sent.",
            "outbox/",
            lambda seen: seen.mails,
        ),
        Metric(
            "bkp_outbox_size_bytes",
            "Size of the mails that wait to be sent.",
            "outbox/",
            lambda seen: seen.bytes,
        ),
        Metric(
            "bkp_outbox_oldest_timestamp_seconds",
            "Time when the oldest mail that waits was written.",
            "outbox/",
            lambda seen: seen.oldest_at,
            absent=f"no mail waits, or {_UNKNOWN}",
        ),
        Metric(
            "bkp_outbox_given_up_mails",
            "Mails that were given up for want of room or refused for days, and of which no digest has told.",
            "outbox/overflow.json",
            lambda seen: seen.given_up,
        ),
        absent=_UNKNOWN,
    ),
    Table[Model, Model](
        (),
        one_row,
        Metric(
            "bkp_mail_confirmed_timestamp_seconds",
            "Time when a person last confirmed a test mail to the configured address.",
            "history.jsonl",
            _confirmed,
            absent="nobody has",
        ),
        Metric(
            "bkp_watch_looked_timestamp_seconds",
            "Time when `bkp-run watch` last looked.",
            "watch.json: looked_at",
            _looked,
            absent="it has never looked, or its file cannot be read",
        ),
        Metric(
            "bkp_watch_limit_seconds",
            "After this time without a look, changes are not mailed as they should be.",
            "bkp",
            _limit,
            absent="neither mails nor heartbeats are configured",
        ),
    ),
)
