"""The whole exposition of a fixed state directory at a fixed time, byte for byte.

After an intended change run this file with BKP_UPDATE_GOLDEN=1 in the environment, and read the diff.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from exporter.exposition import Exposer, Exposition
from exporter.metrics.registry import CATALOGUE
from tests.support.exporter_world import NOW, World, at, every_status, healthy
from tests.support.exposition import openmetrics_series, text_series
from tests.support.observed_world import observed, observed_badly
from tests.support.outside_world import outside, outside_badly

GOLDEN = Path(__file__).parent / "golden"
SCENES: dict[str, tuple[tuple[str, ...], tuple[Callable[[World], None], ...]]] = {
    "empty": (("main",), ()),
    "healthy": (("main",), (healthy,)),
    "every_status": (("main", "photos", "mirror"), (every_status,)),
    "observed": (("main",), (observed,)),
    "observed_badly": (("main",), (observed_badly,)),
    "outside": (("main",), (outside, healthy)),
    "outside_badly": (("main",), (outside_badly, healthy)),
}


def rendered(folder: Path, scene: str, *, ahead: timedelta = timedelta()) -> Exposition:
    repositories, fills = SCENES[scene]
    world = World(folder, repositories, state_path="/proc/self/cwd/state")  # else the path would change the checksum
    for fill in fills:
        fill(world)
    world.set_file_times(at("23 02:00"))
    world.now -= ahead
    ticks = count()
    exposer = Exposer("0.1.0", python="3.11.2", process_metrics=False, stopwatch=lambda: next(ticks) / 1024)
    return exposer.expose(world.model())


@pytest.mark.parametrize("scene", SCENES)
def test_the_exposition_is_the_golden_one(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body = rendered(tmp_path, scene).text.plain
    golden = GOLDEN / f"{scene}.txt"
    if os.environ.get("BKP_UPDATE_GOLDEN"):
        golden.write_bytes(body)
    assert body == golden.read_bytes()


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_that_has_happened_is_later_than_now_however_far_the_clock_was_ahead(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    year = timedelta(days=400)
    series = text_series(rendered(tmp_path, scene, ahead=year).text.plain)
    now = (NOW - year).timestamp()
    later = {name for (name, _), value in series.items() if name.endswith("_timestamp_seconds") and value > now}
    assert {
        name for name in later if not name.endswith(("_deadline_timestamp_seconds", "_until_timestamp_seconds"))
    } == set()
    follows = {f"bkp_{each}_deadline_timestamp_seconds" for each in ("job", "repository_newest_archive", "source")}
    assert not later & follows


@pytest.mark.parametrize("scene", SCENES)
def test_openmetrics_says_the_same_in_its_own_form(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body = rendered(tmp_path, scene).openmetrics.plain
    series = text_series((GOLDEN / f"{scene}.txt").read_bytes())
    assert openmetrics_series(body) == series
    lines = body.decode().splitlines()
    assert lines[-1] == "# EOF"
    assert lines.count("# EOF") == 1
    shown = [metric for metric in CATALOGUE.values() if any(name == metric.name for name, _ in series)]
    said = [line for line in lines if line.startswith(("# TYPE ", "# UNIT "))]
    # The family of an info metric lacks the suffix that its samples have.
    assert said == [
        line
        for metric in shown
        for line in (
            f"# TYPE {metric.name.removesuffix('_info')} {metric.kind}",
            *([f"# UNIT {metric.name} {metric.unit}"] if metric.unit else []),
        )
    ]
