"""A configuration and a state directory, written with the real writers, for tests and benchmarks of the exporter."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from bkp.state.fields import Outcome
from bkp.state.records import Message, Process, Run, Step
from bkp.state.results import Archive, DrillResult, RepositoryFacts, Root
from bkp.state.store import StateStore
from exporter.model import Model, build_model
from exporter.reading import ConfigWatch, HostReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday; 10:00 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")
BOOT = "7d3c1d1e-0000-4000-8000-000000000001"
GIB = 1 << 30


def at(text: str) -> datetime:
    """Return a UTC moment: `23 02:30` is that time on a day of November 2026; a full ISO date and time works too."""
    if "-" in text:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    day, clock = text.split()
    return datetime.fromisoformat(f"2026-11-{int(day):02d}T{clock}").replace(tzinfo=UTC)


def steps(started: datetime, *names: str, failed: str | None = None, exit_code: int = 0) -> tuple[Step, ...]:
    """Return steps of 2, 4, 6 … minutes, one after the other."""
    found = []
    for number, name in enumerate(names, 1):
        ended = started + timedelta(minutes=2 * number)
        outcome = Outcome.FAILURE if name == failed else Outcome.SUCCESS
        code = exit_code if name == failed else 0
        found.append(Step(name=name, started_at=started, ended_at=ended, outcome=outcome, exit_code=code))
        started = ended
    return tuple(found)


def archive(
    started: datetime, sources: Sequence[str] = ("home", "etc"), missing: Sequence[str] = (), **changes: Any
) -> Archive:
    """Return an archive of these sources, of which some were missing; the runner confirms it all the same."""
    made = Archive(
        name=f"backup-{started:%Y-%m-%dT%H:%M:%S}",
        id="5f" * 32,
        started_at=started + timedelta(minutes=1),
        ended_at=started + timedelta(minutes=9),
        files=48_213,
        original_bytes=212 * GIB,
        compressed_bytes=148 * GIB,
        deduplicated_bytes=734 << 20,
        confirmed=True,
        roots=tuple(Root(source=name, path=f"/srv/{name}", present=name not in missing) for name in sources),
    )
    return msgspec.structs.replace(made, **changes)


def facts(newest: datetime, **changes: Any) -> RepositoryFacts:
    """Return what borg says of a repository whose newest archive is of `newest`."""
    values: dict[str, Any] = {
        "id": "ab" * 32,
        "location": "/tank/Secure/Borg/backup-repo",
        "encryption": "repokey-blake2",
        "archives": 17,
        "incomplete_archives": 0,
        "oldest_archive_at": newest - timedelta(days=180),
        "newest_archive_at": newest,
        "original_bytes": 3540 * GIB,
        "compressed_bytes": 2470 * GIB,
        "deduplicated_bytes": 187 * GIB,
        "chunks": 1_804_221,
        "unique_chunks": 95_112,
        "free_bytes": 1260 * GIB,
        "size_bytes": 1800 * GIB,
    }
    return RepositoryFacts(**(values | changes))


def drill(*, mismatched: int = 0, missing: int = 0) -> DrillResult:
    """Return a drill of 20 files."""
    return DrillResult(
        archive="backup-2026-11-21T02:30:00",
        archive_id="5f" * 32,
        files=20,
        bytes=61_203_456,
        matched=20 - mismatched - missing,
        mismatched=mismatched,
        missing=missing,
        seconds=12.5,
    )


def warning(text: str, level: Any = "warning") -> Message:
    """Return a message."""
    return Message(level=level, text=text, msgid="FileNotFound")


def make_run(
    job: str, started: datetime | str, outcome: Outcome = Outcome.SUCCESS, *, target: str = "main", **changes: Any
) -> Run:
    """Return a run of 12 minutes; one that is `running` has no end."""
    started = at(started) if isinstance(started, str) else started
    ended = None if outcome is Outcome.RUNNING else started + timedelta(minutes=12)
    values: dict[str, Any] = {
        "run_id": f"{started:%Y%m%dT%H%M%S}-{job}",
        "job": job,
        "target": target,
        "host": "vault",
        "outcome": outcome,
        "started_at": started,
        "ended_at": ended,
        "process": Process(pid=4242, started_ticks=777, boot_id=BOOT),
        "log": f"/var/log/borg/{job}.log",
        "versions": {"borg": "1.4.0"},
    }
    return Run(**(values | changes))


@dataclass
class World:
    """A host: `state` and `proc` below `root`, and a configuration that names them."""

    root: Path
    repositories: tuple[str, ...] = ("main",)
    sources: tuple[str, ...] = ("home", "etc")
    extra: str = ""
    state_path: str | None = None
    now: datetime = NOW
    config_path: Path = field(init=False)
    store: StateStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = StateStore(self.root / "state")
        self.store.root.mkdir(parents=True, exist_ok=True)
        self.config_path = self.root / "config.yml"
        self.config_path.write_text(self.config_text(), encoding="utf-8")
        self.set_boot(BOOT)

    def config_text(self) -> str:
        """Return the configuration file's text."""
        lines = [
            "schema: 1",
            "mail: {when: never}",
            "host: vault",
            "paths:",
            f"  state: {self.state_path or self.store.root}",
            "repositories:",
        ]
        for name in self.repositories:
            path = "/tank/Secure/Borg/backup-repo" if name == "main" else f"/tank/Secure/Borg/{name}"
            lines += [f"  {name}:", f"    path: {path}", f"    sources: [{', '.join(self.sources)}]"]
        lines.append("sources:")
        for name in self.sources:
            lines += [f"  {name}:", f"    path: /srv/{name}"]
        return "\n".join(lines) + "\n" + self.extra

    def set_boot(self, boot_id: str) -> None:
        """Make the process table that of another boot, with no process in it."""
        kernel = self.root / "proc/sys/kernel/random"
        kernel.mkdir(parents=True, exist_ok=True)
        (kernel / "boot_id").write_text(boot_id + "\n", encoding="ascii")
        for name in ("self", "1"):
            (self.root / "proc" / name).mkdir(exist_ok=True)

    def start_process(self, process: Process) -> None:
        """Put a process into the process table."""
        folder = self.root / "proc" / str(process.pid)
        folder.mkdir(parents=True, exist_ok=True)
        fields = ["S", *["0"] * 18, str(process.started_ticks), *["0"] * 30]
        (folder / "stat").write_text(f"{process.pid} (bkp-run) {' '.join(fields)}\n", encoding="ascii")

    def record(self, *runs: Run) -> None:
        """Write runs as bkp-run does, in this order."""
        for run in runs:
            if run.outcome is Outcome.RUNNING:
                self.store.write_running(run, durable=False)
            else:
                self.store.write_ended(run)

    def path(self, job: str, name: str, target: str = "main") -> Path:
        """Return a record's path."""
        return self.store.job_dir(job, target) / f"{name}.json"

    def set_file_times(self, moment: datetime) -> None:
        """Give every state file the same modification time."""
        for path in self.store.root.rglob("*"):
            if path.is_file():
                os.utime(path, (moment.timestamp(), moment.timestamp()))

    def reader(self) -> HostReader:
        """Return what the exporter reads with, at this world's time."""
        watch = ConfigWatch(self.config_path, lambda: self.now)
        return HostReader(watch, lambda: self.now, zone=BERLIN, proc=self.root / "proc")

    def model(self) -> Model:
        """Return the model of what is there now."""
        return build_model(self.reader().read())


def healthy(world: World) -> None:
    """Record three good nights and good checks, verifications and drills, for every repository."""
    names = ("snapshot", "create", "confirm", "prune", "compact")
    for target in world.repositories:
        for night in ("21 01:30", "22 01:30", "23 01:30"):
            start = at(night)
            made = archive(start, world.sources)
            run = make_run(
                "nightly",
                start,
                target=target,
                steps=steps(start, *names),
                archive=made,
                repository=facts(made.started_at),
                mail="not wanted",
            )
            world.record(run)
        for job, night in (("verify", "15 03:45"), ("check", "22 03:30"), ("drill", "21 04:30")):
            result = drill() if job == "drill" else None
            world.record(
                make_run(job, night, target=target, steps=steps(at(night), job), drill=result, mail="not wanted")
            )


def every_status(world: World) -> None:
    """Record a job in each status: needs the repositories main, photos and mirror."""
    healthy(World(world.root, ("main",), world.sources))
    world.config_path.write_text(world.config_text(), encoding="utf-8")
    start = at("23 01:30")
    messages = (
        warning("/srv/home/anna/.cache/x: file changed while we backed it up"),
        warning("/srv/home/b: vanished"),
    )
    world.record(
        make_run(
            "nightly",
            start,
            Outcome.WARNING,
            steps=steps(start, "snapshot", "create", "confirm", "prune", "compact"),
            archive=archive(start),
            repository=facts(start),
            messages=messages,
            reason="2 files changed while they were read",
            mail="sent",
        )
    )
    partial = archive(at("22 01:30"), missing=("etc",))
    world.record(
        make_run(
            "nightly", "20 01:30", target="photos", archive=archive(at("20 01:30")), repository=facts(at("20 01:30"))
        ),
        make_run(
            "nightly",
            "22 01:30",
            Outcome.FAILURE,
            target="photos",
            steps=steps(at("22 01:30"), "snapshot", "create", "confirm", failed="confirm", exit_code=1),
            archive=partial,
            messages=(warning("source etc: /srv/etc is not there", "error"),),
            reason="source etc is missing: /srv/etc is not there",
            mail="sent",
        ),
        make_run("check", "15 03:30", target="photos"),
        make_run(
            "check", "22 03:30", Outcome.FAILURE, target="photos", reason="borg check found errors in segment 1181"
        ),
        make_run("verify", "15 03:45", target="photos"),
        make_run(
            "drill",
            "21 04:30",
            Outcome.FAILURE,
            target="photos",
            drill=drill(mismatched=1, missing=2),
            reason="3 of 20 restored files are not what was backed up",
        ),
    )
    running = make_run("nightly", "23 08:10", Outcome.RUNNING, target="mirror")
    world.record(
        make_run(
            "nightly",
            "23 01:30",
            target="mirror",
            archive=archive(at("23 01:30")),
            repository=facts(at("23 01:30"), free_bytes=150 * GIB, incomplete_archives=1),
        ),
        running,
        make_run("check", "22 03:30", target="mirror"),
        make_run("drill", "21 04:30", target="mirror", drill=drill()),
    )
    world.start_process(running.process)
    torn = world.path("check", "latest", "mirror")
    torn.write_bytes(torn.read_bytes()[:200])
