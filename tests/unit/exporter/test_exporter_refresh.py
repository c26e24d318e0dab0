"""Rendering happens when a file changes or the tick comes, and never because somebody asks."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from bkp.state.fields import Outcome
from bkp.state.reading import Missing, Readable
from bkp.state.store import JobState
from exporter.exposition import Exposer, Exposition
from exporter.model import Model
from exporter.reading import HostReader, Look
from exporter.refresh import STALE, TICK, Refresher
from exporter.web import answer
from tests.support.exporter_world import NOW, World, at, healthy, make_run
from tests.support.exposition import text_series


class Ticking:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Rig:
    """A refresher over a world, with its clock, counting how often it renders."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = Ticking()
        self.reader = world.reader()
        self.exposer = Exposer("1", process_metrics=False)
        self.rendered = 0
        self.refresher = Refresher(self.reader, self._expose, monotonic=self.clock)

    def _expose(self, model: Model) -> Exposition:
        self.rendered += 1
        return self.exposer.expose(model)

    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.world.now += timedelta(seconds=seconds)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        found = answer("GET", path, headers or {}, self.refresher.fresh)
        return found.status, found.body

    def status(self, job: str) -> str:
        series = text_series(self.get("/metrics")[1])
        (found,) = [
            dict(labels)["status"]
            for (name, labels), value in series.items()
            if name == "bkp_job_status" and ("job_name", job) in labels and value == 1
        ]
        return found


@pytest.fixture
def rig(world: World) -> Rig:
    return Rig(world)


def test_before_the_first_snapshot_nothing_is_ready_but_the_process_is_healthy(rig: Rig) -> None:
    assert rig.get("/metrics")[0] == 503
    assert rig.get("/-/ready")[0] == 503
    assert rig.get("/")[0] == 503
    assert rig.get("/-/healthy")[0] == 200


def test_a_thousand_scrapes_render_nothing(rig: Rig) -> None:
    rig.refresher.step()
    first = rig.get("/metrics")
    for number in range(1000):
        accept = ("", "application/openmetrics-text; version=1.0.0", "*/*")[number % 3]
        status, body = rig.get("/metrics", {"accept": accept, "accept-encoding": "gzip" if number % 2 else ""})
        assert status == 200
        assert body
    assert rig.get("/metrics")[1] is first[1]  # the very same bytes object: handed out, not made
    assert rig.rendered == 1


def test_nothing_is_rendered_while_no_file_changes_and_the_tick_has_not_come(rig: Rig) -> None:
    assert rig.refresher.step()
    for _ in range(6):
        rig.wait(TICK / 8)
        assert not rig.refresher.step()
    rig.wait(TICK)
    assert rig.refresher.step()
    assert rig.rendered == 2


def test_a_record_that_changes_is_there_after_the_next_look(rig: Rig) -> None:
    healthy(rig.world)
    rig.refresher.step()
    assert rig.status("check") == "ok"
    rig.world.record(make_run("check", "23 08:00", Outcome.FAILURE))
    assert rig.refresher.step()
    assert rig.status("check") == "failed"
    assert not rig.refresher.step()


def test_a_deadline_that_passes_is_seen_within_a_tick_though_no_file_changes(rig: Rig) -> None:
    healthy(rig.world)
    rig.refresher.step()
    deadline = NOW + timedelta(hours=18, minutes=30)
    rig.wait((deadline - NOW).total_seconds())
    rig.refresher.step()
    assert rig.status("nightly") == "ok"
    rig.wait(TICK)
    assert rig.refresher.step()
    assert rig.status("nightly") == "late"


def test_a_reading_that_fails_leaves_the_old_snapshot_for_a_while_and_then_nothing(world: World) -> None:
    class Failing(HostReader):
        broken = False

        def read(self) -> Look:
            if self.broken:
                raise OSError(5, "Input/output error")
            return super().read()

    rig = Rig(world)
    good = rig.reader
    failing = Failing(good._watch, good._clock, zone=good._zone, proc=good._proc)
    rig.refresher = Refresher(failing, rig.exposer.expose, monotonic=rig.clock)
    rig.refresher.step()
    failing.broken = True
    rig.wait(TICK)
    with pytest.raises(OSError, match="Input"):
        rig.refresher.step()
    assert rig.get("/metrics")[0] == 200
    rig.wait(STALE)
    assert rig.get("/metrics")[0] == 503
    assert rig.get("/-/ready")[0] == 503
    failing.broken = False
    rig.refresher.step()
    assert rig.get("/-/ready")[0] == 200


def test_a_configuration_that_changes_is_loaded_and_a_bad_or_lost_one_leaves_the_last_good_one(rig: Rig) -> None:
    def value(name: str) -> float | None:
        rig.refresher.step()
        return text_series(rig.get("/metrics")[1]).get((name, frozenset()))

    config = rig.world.config_path
    good = config.read_text(encoding="utf-8")
    assert value("bkp_config_last_reload_successful") == 1
    loaded = value("bkp_config_last_reload_success_timestamp_seconds")

    rig.wait(1)
    config.write_text(good + "surprise: 1\n", encoding="utf-8")
    assert value("bkp_config_last_reload_successful") == 0
    assert value("bkp_config_last_reload_success_timestamp_seconds") == loaded
    assert rig.status("nightly") == "never"
    assert b"not valid or is gone" in rig.get("/")[1]
    assert b"surprise" not in rig.get("/")[1]
    assert b'kind="config_invalid"' in rig.get("/metrics")[1]

    config.unlink()
    assert value("bkp_config_last_reload_successful") == 0
    assert rig.status("nightly") == "never"

    rig.wait(1)
    config.write_text(good.replace("main", "first"), encoding="utf-8")
    assert value("bkp_config_last_reload_successful") == 1
    assert value("bkp_config_last_reload_success_timestamp_seconds") == rig.world.now.timestamp()
    assert b'target="first"' in rig.get("/metrics")[1]
    assert b'target="main"' not in rig.get("/metrics")[1]


def test_a_record_is_read_again_only_when_its_file_changes(world: World) -> None:
    healthy(world)
    reader = world.reader()

    def states() -> dict[str, JobState]:
        return {
            job.job: job.state for job in reader.read().survey.standings if job.job not in {"prune", "escrow-drill"}
        }

    first = states()
    assert all(state is first[job] for job, state in states().items())
    world.record(make_run("check", "23 08:00"))
    again = states()
    assert {job for job, state in again.items() if state is not first[job]} == {"check"}
    latest = again["check"].latest
    assert isinstance(latest, Readable)
    assert latest.value.started_at == at("23 08:00")

    world.path("check", "success").rename(world.root / "aside")
    assert isinstance(states()["check"].success, Missing)
    (world.root / "aside").rename(world.path("check", "success"))
    assert isinstance(states()["check"].success, Readable)


def test_the_history_is_read_again_only_when_it_changes(world: World) -> None:
    healthy(world)
    reader = world.reader()
    first = reader.read().survey.history
    assert reader.read().survey.history is first
    world.record(make_run("check", "23 08:00"))
    again = reader.read().survey.history
    assert again is not first
    assert again.chain is not None
    assert first.chain is not None
    assert again.chain.lines == first.chain.lines + 1
