"""The pull: look, ask, test the gate, run syncoid, and measure what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bkp.errors import DeferredError, StateError, StepFailedError
from bkp.jobs import SYNC
from bkp.state.results import SyncResult
from bkp.tools.borg.events import Progress
from bkp.tools.process import SAFE_PATH, Command, clean_environment, run
from bkp.tools.syncoid import commands, stuck_pv
from bkp.tools.syncoid.said import ByteCount, busy_snapshot, read, really
from bkp.tools.zfs import commands as zfs_commands
from bkp.tools.zfs.client import MISSING, Zfs, ZfsError
from bkp.words import some
from runner.jobs.model import DryRun, Rights, RunnerJob
from runner.jobs.sync import DISCARD, TEST_GATE
from runner.jobs.sync.before import insist_on_keys, insist_on_raw, stale
from runner.jobs.sync.compare import ahead, common, no_longer, partials
from runner.jobs.sync.gate_test import GateOpenError, insist_on_refusal, is_due, of_this_server
from runner.jobs.sync.live import Live
from runner.lifecycle.context import RunContext
from runner.progress import PULL
from runner.sources.marks import is_tag

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.config.replications import Replication
    from bkp.tools.syncoid.said import Problem
    from bkp.tools.zfs.replies import Dataset, Snapshot
    from runner.lifecycle.recorder import StepNotes

REMEMBERED = 40  # runs in which the last result of this replication is looked for


@dataclass(frozen=True)
class PullPrograms:
    """Where ssh and zfs are, and the PATH on which syncoid finds its own."""

    ssh: str = commands.SSH
    zfs: zfs_commands.Programs = field(default_factory=zfs_commands.Programs)
    path: str = SAFE_PATH


@dataclass(frozen=True, kw_only=True)
class SyncSession(RunContext):
    """The context of a run, and what it pulls."""

    replication: Replication
    before: SyncResult | None


def open_sync(context: RunContext) -> SyncSession:
    """Return the session: what is configured, and what the last pull that has a result came to."""
    replication = context.config.replications[context.target]
    before = None
    try:
        for past in context.store.ledger.last_runs(REMEMBERED, job=SYNC.name, target=context.target):
            before = past.result if isinstance(past.result, SyncResult) else before
    except StateError as exc:
        context.tell("warning", [exc.message])
    return SyncSession(**vars(context), replication=replication, before=before)


def sync(session: SyncSession, *, programs: PullPrograms | None = None) -> None:
    """Pull one replication. What is behind is measured however the pull ended."""
    _Pull(session, programs or PullPrograms()).run()


class _Pull:
    def __init__(self, session: SyncSession, programs: PullPrograms) -> None:
        self.session, self.programs = session, programs
        self.replication, self.recorder = session.replication, session.recorder
        self.zfs = Zfs(session.log.detail, programs=programs.zfs)
        self.live = Live(self.replication, session.log.detail, programs.ssh)
        before, own = session.before, self.replication
        gated = self.gated = of_this_server(before, own)
        self.before = gated if gated is not None and gated.target == own.target else None
        self.ahead: tuple[str, ...] = ()
        self.result = SyncResult(
            source=own.source,
            target=own.target,
            raw=own.raw,
            datasets=self.before.datasets if self.before is not None else None,
            partial=before.partial if before is not None and before.target == own.target else (),
            gate=gated.gate if gated is not None else None,
            gate_tested_at=gated.gate_tested_at if gated is not None else None,
        )

    def run(self) -> None:
        with self.recorder.step("look"):
            insist_on_keys(self.replication)
            there = self._datasets()
            self._bind(there)
            insist_on_raw(self.session.target, self.replication, self.session.before, self._root(there))
        with self.recorder.step("reach"):
            self.live.answer(commands.HELLO)
        self._test_gate()
        with self.recorder.step("compare"):
            self._resume_or_discard(there, self._compare())
        failed: StepFailedError | DeferredError | None = None
        try:
            with self.recorder.step("pull") as notes:
                self._pull(notes)
        except (StepFailedError, DeferredError) as exc:
            failed = exc
        try:
            with self.recorder.step("measure") as notes:
                self._compare()
                if self.result.lacking and failed is None:
                    notes.warn(f"never received: {', '.join(self.result.lacking[:5])}")
                if left := no_longer(self.before, self.result.datasets or (), self._datasets()):
                    notes.warn(f"the live server has no more of {some(left)}: it stays as it was received last")
        except (StepFailedError, DeferredError) as exc:
            failed = failed or exc
        if failed is not None:
            raise failed

    def _record(self, result: SyncResult) -> None:
        self.result = result
        self.recorder.update(result=result)

    def _datasets(self) -> list[Dataset]:
        """Return the replica and all below it; nothing before the first pull."""
        try:
            return self.zfs.datasets(self.replication.target)
        except ZfsError as exc:
            if MISSING in exc.said:
                return []
            raise

    def _bind(self, there: list[Dataset]) -> None:
        """Record which dataset is pulled into, and forget what was measured of another one under its name."""
        if there:
            self.recorder.update(subject=there[0].guid)
        known = {each.name: each.guid for each in there}
        if any(each.guid not in {None, known.get(each.dataset)} for each in self.result.datasets or ()):
            self.result = replace(self.result, datasets=None, partial=())

    def _root(self, there: list[Dataset]) -> str | None:
        if not there or there[0].receiving:  # a first receive, of which zfs says nothing yet
            return None
        (found,) = self.zfs.properties(("encryptionroot",), [there[0].name])
        return found.value

    def _test_gate(self) -> None:
        session, now = self.session, self.session.clock()
        due = TEST_GATE in session.options.flags or is_due(self.gated, self.replication.gate_test_every, now)
        with self.recorder.step("gate") as notes:
            if not due:
                notes.skip("its last test is recent enough" if self.replication.gate_test_every else "switched off")
                return
            try:
                insist_on_refusal(self.live)
            except GateOpenError:
                self._record(replace(self.result, gate="ran", gate_tested_at=now, cause="gate_open", cure="person"))
                raise
            self._record(replace(self.result, gate="refused", gate_tested_at=now))

    def _compare(self) -> dict[str, list[Snapshot]]:
        """Record the newest common snapshots and what was cut off; return the live server's snapshots."""
        own, datasets = self.replication, self._datasets()
        source = own.remote.dataset
        known = {source + each.name.removeprefix(own.target): each for each in datasets}
        there = self.live.snapshots(known)
        here = self.zfs.received(own.target) if datasets else []
        found = common(source, own.target, there, here, datasets)
        self.ahead = ahead(found, here)
        cut = partials(datasets, found, self.session.before, self.session.clock())
        self._record(replace(self.result, datasets=found, partial=cut))
        self._bind(datasets)
        return there

    def _resume_or_discard(self, datasets: list[Dataset], there: dict[str, list[Snapshot]]) -> None:
        """Give up what cannot be resumed, if a person has said so; raise `StepFailedError` if nobody has."""
        names = [each.name for each in datasets if each.resumable]
        tokens = (
            {each.dataset: each.value for each in self.zfs.properties(("receive_resume_token",), names)}
            if names
            else {}
        )
        if DISCARD in self.session.options.flags:
            for name in names:
                self.zfs.call(zfs_commands.abort_receive(name), f"cannot give up what was received in part of {name}")
                self.session.log.info(f"gave up what was received in part of {name}")
            return
        if gone := stale(tokens, there):
            self._record(replace(self.result, cause="partial", cure="never"))
            named = ", ".join(f"{dataset} (of {snapshot})" for dataset, snapshot in gone.items())
            raise StepFailedError(
                f"what was received in part cannot be resumed, as its snapshot is gone on the live server: {named}",
                remedy="give it up: `bkp-run sync --discard-partial`; the pull then begins that stream anew",
            )

    def _pull(self, notes: StepNotes) -> None:
        session, own = self.session, self.replication
        count, heard = ByteCount(), []
        held: set[str] = set()
        argv = commands.syncoid(session.target, own)
        command = Command(
            argv=argv,
            environment=clean_environment() | {"PATH": self.programs.path},
            keep_open=session.keep_open,
            whole_session=True,
        )
        session.log.detail(f"$ {command}")

        def hear(line: bytes) -> None:
            text = line.decode("utf-8", "replace").rstrip()
            if count.line(text):
                session.options.progress.update(Progress(PULL, count.total, None, own.source))
            else:
                heard.append(text)
                session.log.detail(text)
                if (snapshot := busy_snapshot(text)) and self._is_held_by_a_run(snapshot):
                    held.add(snapshot)

        timeout = session.config.job(SYNC.name).timeout
        with stuck_pv.watched(session.log.detail):
            done = run(command, on_stderr=hear, timeout=timeout.total_seconds() if timeout else None)
        printed = done.stdout.decode("utf-8", "replace")
        for line in printed.splitlines():
            session.log.detail(line)
        words = f"{printed}\n" + "\n".join(heard)
        said = read(done.exit_code, words, held)
        notes.exit_code = done.exit_code
        counted = count.total if count.seen else None
        problem = said.problem
        if problem is not None:
            problem = really(problem, words, lacking=self.result.lacking, ahead=self.ahead)
        self._record(
            replace(
                self.result,
                bytes=counted,
                seconds=done.seconds,
                cause=problem.cause if problem else None,
                cure=problem.cure if problem else None,
            )
        )
        notes.counters |= {"bytes": count.total} if count.seen else {}
        session.tell("warning", said.warnings if problem is None else ())
        if done.timed_out:
            raise StepFailedError("the pull took longer than jobs.sync.timeout", remedy="the next pull goes on with it")
        if problem is not None:
            self._raise(problem, "\n".join([*heard, printed]))

    def _is_held_by_a_run(self, snapshot: str) -> bool:
        """Return whether only runs of ours hold a replica's snapshot; asked at once, as they let it go at their end."""
        if not f"{snapshot.partition('@')[0]}/".startswith(f"{self.replication.target}/"):  # the live server's words
            return False
        try:
            tags = [tag for _, tag in self.zfs.holds([snapshot])]
        except StepFailedError:
            return False
        return bool(tags) and all(is_tag(tag) for tag in tags)

    def _raise(self, problem: Problem, text: str) -> None:
        last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
        if problem.is_away or problem.cause == "busy":
            raise DeferredError(f"{problem.sentence}: {last[:300]}", remedy=problem.remedy)
        raise StepFailedError(f"{problem.sentence}: {last[:300]}", remedy=problem.remedy)


def dry_run(config: Config, target: str, lock_wait: float) -> DryRun:  # noqa: ARG001  # no lock is waited for
    """Return the commands in the order in which a pull would use them."""
    own = config.replications[target]
    source = own.remote.dataset
    forbidden = tuple(commands.ssh(own, each) for each in commands.FORBIDDEN) if own.gate_test_every else ()
    asked = (
        (commands.list_children(source), commands.list_snapshots(source))
        if own.recursive
        else (commands.list_snapshots(source),)
    )
    return DryRun(
        SYNC.name,
        target,
        (
            zfs_commands.list_datasets(own.target),
            commands.ssh(own, commands.HELLO),
            *forbidden,
            *(commands.ssh(own, each) for each in asked),
            commands.syncoid(target, own),
            zfs_commands.list_received(own.target),
        ),
    )


def rights(config: Config, home: str) -> Rights:  # noqa: ARG001  # ssh reads its key, and writes nothing
    """Return what the unit may do: ask and receive (zfs(8)), and read the key, whoever owns it."""
    return Rights(
        reads=tuple(each.identity_file for each in config.replications.values()),
        devices=("/dev/zfs",),
        capabilities=("CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH"),
    )


JOB = RunnerJob(SYNC, open_sync, sync, dry_run, rights)
