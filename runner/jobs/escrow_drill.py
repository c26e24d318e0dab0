"""The drill of an escrowed key: what lies at a location outside this server opens the repository, and restores files.

The real repository is never written to, nor is a key imported: borg opens an overlay (`bkp.tools.borg.overlay`).
Key and passphrase are a person's, taken from one location; that this location opens the repository goes on record.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bkp import __version__
from bkp.attestations import topics
from bkp.attestations.duties import LiveKey
from bkp.attestations.file import append_attestations
from bkp.attestations.model import Attestation
from bkp.errors import StepFailedError, UsageError
from bkp.history import read_history
from bkp.jobs import ESCROW_DRILL
from bkp.key_match import Match, compare
from bkp.state.ledger import GENESIS
from bkp.state.results import EscrowResult
from bkp.tools.borg import commands
from bkp.tools.borg.client import BorgError, Listing, parse_listing
from bkp.tools.borg.live_key import live_key
from bkp.tools.borg.local_id import id_in_file
from bkp.tools.borg.outcome import Problem
from bkp.tools.borg.overlay import overlay, traces
from bkp.tools.borg.version import borg_version, refuse_unsupported
from runner.borg_session import BorgSession, session_on
from runner.jobs import drill, repository
from runner.jobs.model import READ_EVERYTHING, Rights, RunnerJob
from runner.key_watch import note_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.config.model import Config
    from bkp.config.repositories import Repository
    from bkp.key_export import ExportedKey
    from bkp.secrets import Secret
    from bkp.state.records import DrillSample
    from runner.jobs.model import DryRun
    from runner.lifecycle.context import RunContext


@dataclass(frozen=True)
class Brought:
    """What a person has brought: key and passphrase as they lie at `location`, and who vouches for that.

    `copy` is the folder of a copy of the repository, to be opened in its place.
    """

    location: str
    by: str
    copy: str | None
    key: ExportedKey = field(repr=False)
    passphrase: Secret


@dataclass(frozen=True)
class _Escrow:
    context: RunContext
    brought: Brought


def opened_instead(repository: Repository, copy: str | None) -> Repository:
    """Return what is opened: the repository, or its copy. Raise `UsageError` for what is not on this machine."""
    if copy is None:
        if not repository.path.startswith("/"):
            raise UsageError(
                f"{repository.path} is not on this machine: a key is tried on the repository's own files",
                remedy="name a copy of it with --copy, or run it on the machine that holds the repository",
            )
        return repository
    path = os.path.abspath(copy)  # noqa: PTH100  # as it was typed: a link stays one
    if not all(os.path.exists(f"{path}/{part}") for part in ("config", "data")):  # noqa: PTH110
        raise UsageError(
            f"{copy} is no copy of a repository: it has no config and data",
            remedy="name the folder itself, as `borg list FOLDER` would take it; is its medium mounted?",
        )
    return msgspec.structs.replace(repository, path=path)


def job_with(brought: Brought | None, copy: str | None = None) -> RunnerJob[_Escrow]:
    """Return the job; without what only a person brings it can say what it would do, and no more."""

    def open_escrow(context: RunContext) -> _Escrow:
        if brought is None:
            raise UsageError("no key was brought", remedy="call `bkp-run escrow-drill` by hand")
        context.log.mask(brought.passphrase)
        borg = context.config.repositories[context.target].borg
        if version := borg_version(borg, context.store.root / "cache" / "borg.json"):
            context.recorder.update(versions={**context.recorder.run.versions, "borg": version})
            refuse_unsupported(borg, version)
        context.recorder.update(subject=id_in_file(context.config.repositories[context.target].path))
        return _Escrow(context, brought)

    return RunnerJob(ESCROW_DRILL, open_escrow, _work, partial(_dry_run, copy), _rights)


def _work(escrow: _Escrow) -> None:
    context, brought = escrow.context, escrow.brought
    real = opened_instead(context.config.repositories[context.target], brought.copy)
    recorder = context.recorder
    result = EscrowResult(
        location=brought.location,
        by=brought.by,
        copy=real.path if brought.copy is not None else None,
        key_fingerprint=brought.key.fingerprint,
        usable=brought.key.usable,
    )
    recorder.update(result=result)
    with recorder.step("key") as notes:
        live = _insist_on_same(escrow)
        if (found := id_in_file(real.path)) != live.id:
            raise StepFailedError(
                f"{real.path} is another repository (id {(found or 'unknown')[:12]}…) than"
                f" {context.target} ({live.id[:12]}…)",
                remedy="see whether it is the right folder; what it opens with proves nothing of this repository",
            )
        if not brought.key.usable:
            notes.warn(f"the export at {brought.location} is the right key, but {brought.key.usability}")
    with recorder.step("sample"):
        sample = drill.read_sample(context)
    before = traces(real)
    folder = Path(context.config.paths.scratch_dir) / f"escrow-{context.target}"
    with overlay(real, brought.key, folder) as over:
        session = session_on(context, over.repository, brought.passphrase, over.environment)
        listing = _open(session, brought, sample)
        result = msgspec.structs.replace(result, archives=len(listing.archives))
        recorder.update(result=result)
        _restore(session, sample, result)
    with recorder.step("untouched") as notes:
        if traces(real) != before:
            notes.warn(f"{real.path} was written to meanwhile: by something else, as this drill only reads it")
    with recorder.step("attest"):
        records = _records(escrow, live, len(sample.files))
        append_attestations(Path(context.config.attestations_path), records)
        until = f"{min(each.valid_until for each in records):%Y-%m-%d}"
        context.log.info(
            f"attested: {brought.location} opened {context.target}; counts until {until} unless its key changes"
        )


def _insist_on_same(escrow: _Escrow) -> LiveKey:
    """Raise `StepFailedError` with what the key is, unless it is the one in use."""
    context, brought = escrow.context, escrow.brought
    real = context.config.repositories[context.target]
    seen = read_history(context.store.ledger).past.keys.get(context.target, ())
    live = note_key(context, real) or live_key(real, lock_wait=context.options.lock_wait)
    found = LiveKey(live.repository_id, live.fingerprint)
    compared = compare(brought.key, found, context.target, seen)
    if compared.match is not Match.SAME:
        raise StepFailedError(f"the export at {brought.location} {compared.sentence}", remedy=compared.remedy)
    return found


def _open(session: BorgSession, brought: Brought, sample: DrillSample) -> Listing:
    """Open the repository with what was brought, and find the sample's archive in it."""
    with session.recorder.step("open") as notes:
        arguments = commands.list_archives(session.repository, lock_wait=session.options.lock_wait)
        try:
            listing = parse_listing(session.run_borg(notes, arguments).completed.stdout)
        except BorgError as exc:
            if exc.problem is not Problem.PASSPHRASE:
                raise
            raise StepFailedError(
                f"the key at {brought.location} is the right one, but the passphrase from there does not open it",
                remedy="replace the passphrase there by the present one; was it typed as it is written?",
            ) from None
        if (sample.archive, sample.archive_id) not in {(each.name, each.id) for each in listing.archives}:
            remedy = "run `bkp-run nightly`, which draws a new sample, and then this drill again"
            if brought.copy is not None:
                remedy = "the copy is from before that night, or after its archive was pruned: copy again, then drill"
            raise StepFailedError(
                f"it opens, but does not list {sample.archive}, which the last night recorded", remedy=remedy
            )
        return listing


def _restore(session: BorgSession, sample: DrillSample, result: EscrowResult) -> None:
    folder = Path(session.config.paths.scratch_dir) / f"escrow-{session.target}" / "restored"
    with session.recorder.step("extract") as notes:
        drill.make_empty(folder)
        try:
            seconds = drill.extract_sample(session, notes, sample, folder)
            restored, problems = drill.compare(sample, folder, seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with session.recorder.step("compare") as notes:
        session.recorder.update(result=msgspec.structs.replace(result, restored=restored))
        drill.insist_on_equal(session, notes, restored, problems)


def _records(escrow: _Escrow, live: LiveKey, files: int) -> Sequence[Attestation]:
    """Return what is on record from now on: key and passphrase of this location, as far as it is to hold them."""
    context, brought = escrow.context, escrow.brought
    now = context.clock()
    holds = next(place.holds for place in context.config.audit.escrow if place.name == brought.location)
    what = f"a copy of {context.target}" if brought.copy is not None else context.target
    statement = (
        f"Key and passphrase as they lie at {brought.location} opened {what} through an overlay, and"
        f" {files} files came back as they were backed up (run {context.recorder.run.run_id})"
    )
    return [
        Attestation(
            id=f"{now:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}",
            topic=topic.name,
            subject=brought.location,
            level="opened",
            repository_id=live.id,
            bound_to=live.fingerprint,
            statement=statement,
            who=brought.by,
            host=context.recorder.run.host,
            at=now,
            valid_until=now + topic.longest,
            versions={**context.recorder.run.versions, "bkp": __version__},
            previous=GENESIS,
        )
        for topic in (topics.KEY, topics.PASSPHRASE)
        if topic.item in holds
    ]


def _dry_run(copy: str | None, config: Config, target: str, lock_wait: float) -> DryRun:
    """Return borg's commands, on an overlay that is made then."""
    folder = Path(config.paths.scratch_dir) / f"escrow-{target}"
    real = opened_instead(config.repositories[target], copy)
    over = msgspec.structs.replace(real, path=str(folder / "repository"), base_dir=str(folder / "base"))
    found = msgspec.structs.replace(config, repositories={**config.repositories, target: over})
    calls = [
        commands.list_archives(over, lock_wait=lock_wait),
        commands.extract(over, "ARCHIVE", ["SAMPLED-PATHS"], lock_wait=lock_wait, progress=True),
    ]
    return repository.dry_run(ESCROW_DRILL.name, found, target, calls)


def _rights(config: Config, home: str) -> Rights:
    return Rights(writable=(*repository.written(config, home), config.paths.scratch_dir), capabilities=READ_EVERYTHING)


JOB = job_with(None)
