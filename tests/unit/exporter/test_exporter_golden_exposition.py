"""The whole exposition of a fixed state directory at a fixed time, byte for byte.

After an intended change run this file with BKP_UPDATE_GOLDEN=1 in the environment, and read the diff.
"""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from exporter.exposition import Exposer, Exposition
from tests.support.exporter_world import World, at, every_status, healthy
from tests.support.exposition import openmetrics_series, text_series

GOLDEN = Path(__file__).parent / "golden"
SCENES: dict[str, tuple[tuple[str, ...], Callable[[World], None]]] = {
    "empty": (("main",), lambda _: None),
    "healthy": (("main",), healthy),
    "every_status": (("main", "photos", "mirror"), every_status),
}


def rendered(folder: Path, scene: str) -> Exposition:
    repositories, fill = SCENES[scene]
    world = World(folder, repositories, state_path="/proc/self/cwd/state")  # else the path would change the checksum
    fill(world)
    world.set_file_times(at("23 02:00"))
    ticks = count()
    exposer = Exposer("0.1.0", python="3.11.2", process_metrics=False, stopwatch=lambda: next(ticks) / 1024)
    return exposer.expose(world.model())


@pytest.mark.parametrize("form", ["text", "openmetrics"])
@pytest.mark.parametrize("scene", SCENES)
def test_the_exposition_is_the_golden_one(
    scene: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    body = getattr(rendered(tmp_path, scene), form).plain
    golden = GOLDEN / f"{scene}.{form}.txt"
    if os.environ.get("BKP_UPDATE_GOLDEN"):
        golden.write_bytes(body)
    assert body == golden.read_bytes()


@pytest.mark.parametrize("scene", SCENES)
def test_both_formats_say_the_same(scene: str) -> None:
    text = text_series((GOLDEN / f"{scene}.text.txt").read_bytes())
    assert text == openmetrics_series((GOLDEN / f"{scene}.openmetrics.txt").read_bytes())
