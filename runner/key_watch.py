"""Which key the repository has: recorded by every run, so that a change is told by the first one after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bkp.attestations import topics
from bkp.attestations.duties import NO_KEY, Duty, LiveKey, stand
from bkp.attestations.file import read_attestations
from bkp.errors import BkpError, InterruptedRunError, StateError
from bkp.jobs import JOBS, Kind
from bkp.tools.borg.live_key import live_key
from bkp.words import some

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.config.model import Config
    from bkp.config.repositories import Repository
    from bkp.key_export import ExportedKey
    from bkp.state.records import Run
    from runner.lifecycle.context import RunContext


def note_key(context: RunContext, repository: Repository) -> ExportedKey | None:
    """Record the key that the repository has now, and return it; warn if it is another one than the last run found.

    None where there is none, or it cannot be had; of a remote repository, that is a warning.
    """
    if repository.encryption in NO_KEY:
        return None
    recorder = context.recorder
    try:
        key = live_key(repository, lock_wait=context.options.lock_wait, keep_open=context.keep_open)
    except InterruptedRunError:
        raise
    except BkpError as exc:
        if repository.path.startswith("/"):  # the work itself says what is wrong with it
            context.log.detail(f"which key it has is not known: {exc.message}")
        else:
            context.tell("warning", [f"which key the repository has could not be told: {exc.message}"])
        return None
    recorder.update(key_fingerprint=key.fingerprint, subject=recorder.run.subject or key.repository_id)
    before = _last_known(context)
    if before is not None and before.key_fingerprint != key.fingerprint:
        context.tell(*_change(context, key, another=before.subject != key.repository_id))
    return key


def _change(context: RunContext, key: ExportedKey, *, another: bool) -> tuple[Literal["info", "warning"], list[str]]:
    what = "it is another repository than in the run before" if another else "its key or passphrase was changed"
    text = f"{what}: the key is {key.short} now"
    visit = outdated_places(context.config, context.target, key, context.clock())
    if not visit and context.config.audit.escrow:
        return "info", [f"{text}; every location is attested for it already"]
    export = f"`bkp-run export-key --target {context.target}` writes it"
    if not visit:
        return "warning", [f"{text}; every copy of the one before is outdated. {export}"]
    return "warning", [f"{text}; outdated are the copies at {some(visit)}. {export}; renew and attest each"]


def _last_known(context: RunContext) -> Run | None:
    def wanted(run: Run) -> bool:
        spec = JOBS.get(run.job)
        of_it = spec is not None and spec.kind is Kind.REPOSITORY and run.target == context.target
        return of_it and run.key_fingerprint is not None

    try:
        return context.store.ledger.newest(wanted)
    except StateError:  # the history cannot be read: that is told elsewhere, and first
        return None


def outdated_places(config: Config, target: str, key: ExportedKey, now: datetime) -> list[str]:
    """Return the locations that are to hold key or passphrase, and are not known to hold those of this key.

    Where what was attested cannot be trusted, these are all.
    """
    attested = read_attestations(Path(config.attestations_path))
    records = attested.records if attested.problem is None else ()
    live = LiveKey(key.repository_id, key.fingerprint)
    wanted = [
        Duty(topic, place, target, live)
        for place in config.audit.escrow
        for topic in (topics.KEY, topics.PASSPHRASE)
        if topic.item in place.holds
    ]
    found = [duty.location.name for duty in wanted if stand(duty, records, now).matches is not True]
    return list(dict.fromkeys(found))
