"""A configuration and a state directory, written with the real writers, for tests and benchmarks of the exporter."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bkp.state.fields import Outcome
from bkp.state.results import CheckResult, Listed
from bkp.state.store import StateStore
from exporter.model import Model, build_model
from exporter.reading import ConfigWatch, HostReader
from tests.support.records import (
    GIB,
    PROCESS,
    a_drill,
    a_message,
    a_night,
    a_repository,
    a_run,
    an_archive,
    roots,
    steps,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bkp.state.records import Process, Run
    from bkp.state.results import Archive, RepositoryFacts

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday; 10:00 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """Return a UTC moment: `23 02:30` is that time on a day of November 2026; a full ISO date and time works too."""
    if "-" in text:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    day, clock = text.split()
    return datetime.fromisoformat(f"2026-11-{int(day):02d}T{clock}").replace(tzinfo=UTC)


def archive(
    started: datetime, sources: Sequence[str] = ("home", "etc"), missing: Sequence[str] = (), **changes: Any
) -> Archive:
    """Return the archive of a night, of these sources, of which some were missing; it is confirmed all the same."""
    values: dict[str, Any] = {
        "files": 48_213,
        "original_bytes": 212 * GIB,
        "compressed_bytes": 148 * GIB,
        "deduplicated_bytes": 734 << 20,
        "roots": roots(*(name for name in sources if name not in missing), missing=tuple(missing)),
    }
    return an_archive(started + timedelta(minutes=1), **(values | changes))


def facts(newest: datetime, **changes: Any) -> RepositoryFacts:
    """Return what borg says of a repository whose newest archive is of `newest`."""
    values: dict[str, Any] = {
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
    return a_repository(**(values | changes))


def make_run(job: str, started: datetime | str, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Run:
    """Return a run. Unless a result is given, a night made a whole archive, and what did not end well has none."""
    started = at(started) if isinstance(started, str) else started
    if not outcome.is_good:
        changes.setdefault("result", None)
    elif job == "nightly":
        changes.setdefault("result", a_night(archive(started)))
    return a_run(job, started, outcome, **changes)


@dataclass
class World:
    """A host: `state` and `proc` below `root`, and a configuration that names them."""

    root: Path
    repositories: tuple[str, ...] = ("main",)
    sources: tuple[str, ...] = ("home", "etc")
    extra: str = ""
    mail: str = "{when: never}"
    state_path: str | None = None
    now: datetime = NOW
    config_path: Path = field(init=False)
    store: StateStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = StateStore(self.root / "state")
        self.store.root.mkdir(parents=True, exist_ok=True)
        self.config_path = self.root / "config.yml"
        self.config_path.write_text(self.config_text(), encoding="utf-8")
        self.set_boot(PROCESS.boot_id)

    def config_text(self) -> str:
        """Return the configuration file's text."""
        lines = [
            "schema: 1",
            f"mail: {self.mail}",
            "host: vault",
            "paths:",
            f"  state: {self.state_path or self.store.root}",
            *([] if self.state_path else [f"  lock: {self.root / 'lock'}"]),
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
                result=a_night(made, facts(made.started_at)),
                mail="not wanted",
            )
            world.record(run)
        for job, night in (("verify", "15 03:45"), ("check", "22 03:30"), ("drill", "21 04:30")):
            world.record(make_run(job, night, target=target, steps=steps(at(night), job), mail="not wanted"))


def every_status(world: World) -> None:
    """Record a job in each status: needs the repositories main, photos and mirror."""
    healthy(World(world.root, ("main",), world.sources))
    world.config_path.write_text(world.config_text(), encoding="utf-8")
    start = at("23 01:30")
    messages = (
        a_message("/srv/home/anna/.cache/x: file changed while we backed it up"),
        a_message("/srv/home/b: vanished"),
    )
    world.record(
        make_run(
            "nightly",
            start,
            Outcome.WARNING,
            steps=steps(start, "snapshot", "create", "confirm", "prune", "compact"),
            result=a_night(archive(start), facts(start)),
            messages=messages,
            reason="2 files changed while they were read",
            mail="sent",
        )
    )
    partial = archive(at("22 01:30"), missing=("etc",))
    world.record(
        make_run(
            "nightly",
            "20 01:30",
            target="photos",
            result=a_night(archive(at("20 01:30")), facts(at("20 01:30"))),
        ),
        make_run(
            "nightly",
            "22 01:30",
            Outcome.FAILURE,
            target="photos",
            steps=steps(at("22 01:30"), "snapshot", "create", "confirm", failed="confirm", exit_code=1),
            result=a_night(partial),
            messages=(a_message("source etc: /srv/etc is not there", "error"),),
            reason="source etc is missing: /srv/etc is not there",
            mail="sent",
        ),
        make_run("check", "15 03:30", target="photos", result=CheckResult(all_data=False, listed=Listed(held={}))),
        make_run(
            "check", "22 03:30", Outcome.FAILURE, target="photos", reason="borg check found errors in segment 1181"
        ),
        make_run("verify", "15 03:45", target="photos"),
        make_run(
            "drill",
            "21 04:30",
            Outcome.FAILURE,
            target="photos",
            result=a_drill(matched=17, mismatched=1, missing=2),
            reason="3 of 20 restored files are not what was backed up",
        ),
    )
    running = make_run("nightly", "23 08:10", Outcome.RUNNING, target="mirror")
    world.record(
        make_run(
            "nightly",
            "23 01:30",
            target="mirror",
            result=a_night(archive(at("23 01:30")), facts(at("23 01:30"), free_bytes=150 * GIB, incomplete_archives=1)),
        ),
        running,
        make_run("check", "22 03:30", target="mirror"),
        make_run("drill", "21 04:30", target="mirror"),
    )
    world.start_process(running.process)
    torn = world.path("check", "latest", "mirror")
    torn.write_bytes(torn.read_bytes()[:200])
