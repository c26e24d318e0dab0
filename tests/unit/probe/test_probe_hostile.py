"""Whatever the programs print, the probe raises nothing, and says nothing good that was not printed."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bkp.disk_health.model import Health
from bkp.disk_health.second import SecondReading
from bkp.state.observed import write_observation
from bkp.zfs_health.attached import read_attached as read_pools
from runner.probe import commands
from runner.probe.asking import ToolAnswer
from runner.views import probe as view
from tests.support.probe_world import ONE, ProbeWorld, recorded

ANY = st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
GOOD = [recorded(f"zfs/trixie/{name}.zpool-status-j") for name in ("online-scrubbed", "data-errors", "suspended")]


@st.composite
def spoilt(draw: st.DrawFn, texts: list[str]) -> bytes:
    """An output that was printed, cut, or with something written into it."""
    data = draw(st.sampled_from(texts)).encode()
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, len(data)))
    return data[:start] + draw(ANY) + data[end:]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_look_never_raises_and_can_be_written_read_and_shown(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        world = ProbeWorld(Path(folder))
        originals = [answer.text for answer in world.answers.values()]
        for argv in list(world.answers):
            world.answers[argv] = ToolAnswer(
                argv,
                data.draw(spoilt(originals) | ANY),
                data.draw(st.text(max_size=40)),
                data.draw(st.integers(0, 255)),
            )
        seen = world.look()
        assert not [each for each in seen.unseen if "a defect of bkp-run" in each]
        assert view.as_text(view.lines_of(seen))
        assert msgspec.json.decode(view.as_json(seen))["schema"] == 1
        write_observation(Path(folder) / "state", "pools", "h", seen.pools)
        write_observation(Path(folder) / "state", "datasets", "h", seen.datasets)
        write_observation(Path(folder) / "state", "disks", "h", seen.disks)


@settings(max_examples=100, deadline=None)
@given(spoilt(GOOD) | ANY)
def test_an_attached_output_is_read_or_refused_and_can_be_shown(data: bytes) -> None:
    reading = read_pools(data)
    assert view.pools_as_text(reading)
    assert msgspec.json.decode(msgspec.json.encode(reading))["problem"] == reading.problem


@settings(max_examples=60, deadline=None)
@given(ANY)
def test_a_disk_of_which_nothing_is_read_is_never_healthy(printed: bytes) -> None:
    with TemporaryDirectory() as folder:
        world = ProbeWorld(Path(folder))
        for argv in [each for each in world.answers if each[:2] == ("smartctl", "--json")]:
            world.answers[argv] = ToolAnswer(argv, printed, "", 0)
        value = world.look().disks["one"].value
        assert value is None or value.health is None or value.health.health is not Health.PASSED


SECOND = SecondReading(assessment="FAIL", serial="QM00001")


@settings(max_examples=60, deadline=None)
@given(spoilt([msgspec.json.encode(SECOND).decode()]) | ANY, st.integers(0, 255))
def test_a_second_reading_that_was_spoilt_hides_nothing(printed: bytes, exit_code: int) -> None:
    with TemporaryDirectory() as folder:
        world = ProbeWorld(Path(folder))
        path = f"/dev/disk/by-id/{ONE}"
        failing = json.loads(recorded("smartctl/trixie/sata-hdd"))
        failing["smart_status"] = {"passed": False}
        world.say(commands.smart(path, None), json.dumps(failing))
        second = commands.second("/dev/sda", failing["device"]["type"])
        world.answers[second] = ToolAnswer(second, printed, "", exit_code)
        value = world.look().disks["one"].value
        assert value is not None
        assert value.second is not None
        assert value.health is not None
        assert value.health.health is Health.FAILED
        if value.second.assessment not in {None, "FAIL"}:
            assert value.disagreements


def test_a_file_whose_name_is_no_text_is_named_all_the_same(tmp_path: Path) -> None:
    world = ProbeWorld(tmp_path)
    folder = tmp_path / "var/spool/cron/crontabs"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"odd\xff")).write_text("0 0 * * * zpool scrub tank\n")
    seen = world.look()
    assert b"odd\\\\udcff: 0 0 * * * zpool scrub tank" in view.as_json(seen)
    write_observation(tmp_path / "state", "host", "h", seen.host)
