"""Concerns about what reaches people: mails that wait or are lost, and a watch that does not look."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.quantities import format_duration
from bkp.state.reading import Missing, Readable
from bkp.state.watch import LOOKS_MISSED, WATCH_EVERY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.config.model import Config
    from bkp.survey import Survey

MAY_WAIT = timedelta(hours=1)
_LOOK = "`bkp-run mail test` says what the mail server answers; then see /etc/msmtprc"
_WATCH = "`bkp-run watch` looks now; `systemctl status bkp-watch.timer` says whether it is started by itself"


def concerns(config: Config, survey: Survey) -> Iterator[Concern]:
    """Yield them."""
    yield from _waiting(survey)
    yield from _lost(survey)
    if is_watch_wanted(config):
        yield from _watch(survey)


def is_watch_wanted(config: Config) -> bool:
    """Return whether anybody is to be told what the watch finds."""
    return config.mail.when != "never" or bool(config.heartbeat.address_files)


def _waiting(survey: Survey) -> Iterator[Concern]:
    seen = survey.outbox
    name = "the outbox"
    if seen.problem is not None:
        yield Concern("mail_waiting", "warning", name, f"{name} is not known: {seen.problem}", "see who may read it")
    if not seen.mails:
        return
    oldest, count = seen.oldest_at, f"{seen.mails} mails wait" if seen.mails > 1 else "1 mail waits"
    if oldest is None or oldest > survey.now:
        why = f"{count} to be sent, for a time that is not known"
        yield Concern("mail_waiting", "warning", name, f"{name}: {why}", _LOOK)
    elif survey.now - oldest > MAY_WAIT:
        why = f"{count} to be sent, the oldest for {format_duration(survey.now - oldest)}"
        yield Concern("mail_waiting", "warning", name, f"{name}: {why}", _LOOK, oldest)


def _lost(survey: Survey) -> Iterator[Concern]:
    seen, last = survey.outbox, survey.past.mail
    if seen.given_up:
        count = "1 mail was" if seen.given_up == 1 else f"{seen.given_up} mails were"
        why = f"the mail: {count} given up, and nobody has been told yet"
        yield Concern("mail_failed", "warning", "the mail", why, _LOOK, seen.given_up_at)
    elif last is not None and last.result == "failed":
        why = f"the mail: the last one could neither be sent nor kept ({last.reason or 'nobody knows why'})"
        yield Concern("mail_failed", "warning", "the mail", why, _LOOK, last.at)


def _watch(survey: Survey) -> Iterator[Concern]:
    name, reading = "the watch", survey.watch
    if isinstance(reading, Missing):
        yield Concern("watch_stale", "warning", name, f"{name} has never looked: changes are not mailed", _WATCH)
    elif not isinstance(reading, Readable):
        why = f"the state file watch.json {reading.reason}"
        yield Concern("state_unreadable", "warning", "watch.json", why, "`bkp-run watch` writes it anew")
    elif reading.value.looked_at > survey.now:
        why = f"{name}: its last look lies in the future: how old it is cannot be told"
        yield Concern("clock_ahead", "warning", name, why, "set the clock, then run `bkp-run watch`")
    elif survey.now - reading.value.looked_at > LOOKS_MISSED * WATCH_EVERY:
        span = format_duration(survey.now - reading.value.looked_at)
        why = f"{name} has not looked for {span}: changes are not mailed"
        yield Concern("watch_stale", "warning", name, why, _WATCH, reading.value.looked_at)
