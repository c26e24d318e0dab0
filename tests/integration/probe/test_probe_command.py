"""bkp-run probe with real programs that replay outputs, hang, or are not there."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from bkp.observations import read_observations
from bkp.state.reading import Missing, Readable
from runner.cli import cli
from runner.probe import commands
from runner.probe.asking import Asker, stuck_processes
from tests.support.fake_programs import FakePrograms
from tests.support.probe_world import BASE, ONE, TWO, WATCHED, ProbeWorld, recorded
from tests.support.zpool_written import HC, status

if TYPE_CHECKING:
    from collections.abc import Callable

PLENTY = 60.0


class Site:
    """A configuration, a state directory, and programs at the start of PATH."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.state, self.root = root / "state", root
        self.programs = FakePrograms(root / "bin", "zpool", "zfs", "smartctl", "journalctl")
        self.config = root / "config.yml"
        self.configure(WATCHED)
        # where children look for their programs, and where the host's files are
        patch.setattr("bkp.tools.process.SAFE_PATH", f"{self.programs.folder}:/usr/bin:/bin")
        patch.setattr("runner.probe.devices.ROOT", root / "host")
        world = ProbeWorld(root / "host")
        for argv, answer in world.answers.items():
            self.programs.answer(" ".join(argv), answer.text, ends_with=answer.exit_code or 0)

    def configure(self, extra: str) -> None:
        """Write the configuration."""
        paths = {name: str(self.root / name) for name in ("state", "log", "lock")}
        self.config.write_text(f"{BASE}paths: {json.dumps(paths)}\n{extra}")

    def run(self, *words: str, stdin: bytes = b"") -> Result:
        """Run bkp-run."""
        return CliRunner().invoke(cli, ["--config", str(self.config), *words], input=stdin, standalone_mode=False)

    def probe(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Probe, and return the exit code and what it printed as JSON."""
        done = self.run("probe", "--json", *words)
        assert done.exception is None, done.exception
        return done.return_value, json.loads(done.stdout)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    (tmp_path / "host").mkdir()
    return Site(tmp_path, monkeypatch)


def test_a_look_is_written_for_all_readers_and_leaves_no_run(site: Site) -> None:
    code, printed = site.probe()
    assert code == 0, printed["unseen"]
    seen = read_observations(site.state)
    assert isinstance(seen.pools, Readable)
    assert isinstance(seen.datasets, Readable)
    assert isinstance(seen.disks, Readable)
    assert isinstance(seen.host, Readable)
    assert set(seen.datasets.value.parts) == {"tank", "tank/Secure"}
    disk = seen.disks.value.parts["one"].value
    assert disk is not None
    assert disk.health is not None
    assert disk.health.identity.serial == "LABHDD0"
    assert {path.name for path in site.state.iterdir()} == {"observed"}
    assert not (site.root / "log").exists()


def test_every_program_is_called_under_the_plain_locale(site: Site) -> None:
    site.probe()
    assert {locale for _, locale in site.programs.calls()} == {"C"}


def test_the_summary_has_the_worst_first(site: Site) -> None:
    site.programs.answer(" ".join(commands.status_json("tank")), recorded("zfs/trixie/degraded-removed.zpool-status-j"))
    done = site.run("probe")
    first = done.stdout.splitlines()[0].split()
    assert first[:4] == ["✗", "pool", "tank", "DEGRADED,"]
    assert done.return_value == 0


@pytest.mark.parametrize("hanging", ["zpool status", "zfs list", "smartctl --json -a"])
def test_a_program_that_hangs_ends_with_its_limit_and_takes_nothing_else_down(
    site: Site, monkeypatch: pytest.MonkeyPatch, hanging: str
) -> None:
    site.probe()
    for name in ("ZPOOL_SECONDS", "ZFS_SECONDS", "SMARTCTL_SECONDS"):
        monkeypatch.setattr(commands, name, 2.0)
    argv = {
        "zpool status": commands.status_json("tank"),
        "zfs list": commands.datasets("tank"),
        "smartctl --json -a": commands.smart(f"/dev/disk/by-id/{ONE}", None),
    }[hanging]
    site.programs.answer(" ".join(argv), "", seconds=300)
    began = time.monotonic()
    code, printed = site.probe("--all")
    assert time.monotonic() - began < PLENTY
    assert code == 1
    lost = {
        kind: [name for name, part in printed[kind].items() if part["error"] is not None]
        for kind in ("pools", "datasets", "disks", "host")
    }
    both = ["tank", "tank/Secure"]
    assert (
        lost
        == {
            "zpool status": {"pools": ["tank"], "datasets": both, "disks": [], "host": []},
            "zfs list": {"pools": [], "datasets": both, "disks": [], "host": []},
            "smartctl --json -a": {"pools": [], "datasets": [], "disks": ["one"], "host": []},
        }[hanging]
    )
    assert all(part["value"] is not None for kind in lost for part in printed[kind].values())


def test_in_a_unit_what_cannot_be_seen_is_no_failure(site: Site) -> None:
    site.programs.answer(
        " ".join(commands.status_json("tank")), "", ends_with=1, stderr="cannot open 'tank': no such pool"
    )
    assert site.run("probe", "--quiet").return_value == 1
    done = site.run("probe", "--quiet", "--unit")
    assert (done.return_value, done.stdout) == (0, "")
    assert "warning: pool tank: no pool tank is imported" in done.stderr


def test_a_dry_run_says_what_would_be_asked_and_asks_nothing(site: Site) -> None:
    done = site.run("probe", "--dry-run")
    assert f"smartctl --json -a -n standby /dev/disk/by-id/{TWO}" in done.stdout.splitlines()
    assert "zpool status -j --json-int tank" in done.stdout.splitlines()
    assert site.programs.calls() == []
    assert not site.state.exists()
    assert json.loads(site.run("probe", "--dry-run", "--json").stdout)["commands"][0][0] == "journalctl"


def test_a_state_that_cannot_be_written_is_an_error_and_an_unreadable_one_is_replaced(site: Site) -> None:
    (site.state / "observed").mkdir(parents=True)
    (site.state / "observed/pools.json").write_text("{torn")
    assert site.probe()[0] == 0
    assert isinstance(read_observations(site.state).pools, Readable)
    (site.state / "observed/disks.json").unlink()
    (site.state / "observed/disks.json").mkdir()
    done = site.run("probe")
    assert "cannot write state file" in str(done.exception)
    assert not isinstance(read_observations(site.state).disks, Missing)


# ---------------------------------------------------------------- attached outputs


@pytest.mark.parametrize("form", ["file", "standard input"])
def test_an_attached_status_is_read_in_zfs_own_words_without_a_configuration(site: Site, form: str) -> None:
    text = status(state="ONLINE", above=HC, below="errors: 3 data errors, use '-v' for a list\n").encode()
    (site.root / "attached.txt").write_bytes(text)
    site.config.unlink()
    name = "-" if form == "standard input" else str(site.root / "attached.txt")
    done = site.run("probe", "--from-file", "zpool", name, "--json", stdin=text)
    assert done.return_value == 0
    (pool,) = json.loads(done.stdout)["pools"]
    assert (pool["state"], pool["suspended"], pool["data_errors"]) == ("ONLINE", True, 3)
    assert site.run("probe", "--from-file", "zpool", name, stdin=text).stdout.startswith(
        "✗  pool  cellar  ONLINE, suspended"
    )


def test_an_attached_json_of_either_program_is_read(site: Site) -> None:
    pools, disk = site.root / "pools.json", site.root / "disk.json"
    pools.write_text(recorded("zfs/trixie/data-errors.zpool-status-j"))
    disk.write_text(recorded("smartctl/trixie/nvme-failing"))
    assert json.loads(site.run("probe", "--from-file", "zpool", str(pools), "--json").stdout)["pools"][0]["data_errors"]
    read = json.loads(site.run("probe", "--from-file", "smartctl", str(disk), "--json").stdout)
    assert (read["protocol"], read["health"]) == ("nvme", "failed")
    assert site.run("probe", "--from-file", "smartctl", str(disk)).stdout.startswith("✗  disk")


@pytest.mark.parametrize("program", ["zpool", "smartctl"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{", b"[]", b"nothing of the kind\n", b"\x00" * 5000])
def test_what_is_no_output_of_the_program_ends_with_1_and_says_so(site: Site, program: str, content: bytes) -> None:
    for words in ((), ("--json",)):
        done = site.run("probe", "--from-file", program, "-", *words, stdin=content)
        assert (done.return_value, done.exception) == (1, None)
        assert done.stdout.strip()


def test_a_file_that_is_not_there_is_a_wrong_call(site: Site) -> None:
    assert "no.txt: No such file" in str(site.run("probe", "--from-file", "zpool", "no.txt").exception)
    assert "--from-file looks at a file" in str(site.run("probe", "--from-file", "zpool", "-", "--all").exception)


# ---------------------------------------------------------------- config suggest, and asking


def test_the_suggestion_for_this_host_is_a_configuration_that_config_check_takes(site: Site) -> None:
    scan = json.loads(recorded("smartctl/trixie/scan-open"))
    site.programs.answer(" ".join(commands.SCAN_OPEN), json.dumps(scan))
    site.config.unlink()
    done = site.run("config", "suggest")
    assert done.exception is None
    site.configure(done.stdout)
    assert site.run("config", "check").return_value == 0
    assert f"path: /dev/disk/by-id/{ONE}" in done.stdout


def asking(command: str, seconds: float = 5.0, until: float = 60.0) -> str | None:
    ask = Asker(time.monotonic() + until, environment={"PATH": "/usr/bin:/bin"})
    return ask(("sh", "-c", command), seconds).problem


@pytest.mark.parametrize(
    ("look", "problem"),
    [
        (lambda: asking("exit 3"), None),
        (lambda: asking("trap '' TERM; sleep 60", 1.0), "sh gave no answer within 1 s"),
        (lambda: asking("true", until=-1.0), "no time was left to ask"),
        (lambda: Asker(time.monotonic() + 9)(("no-such-program",), 1.0).problem, "no-such-program is not installed"),
    ],
    ids=["ends", "hangs", "too late", "absent"],
)
def test_no_answer_has_a_reason(look: Callable[[], str | None], problem: str | None) -> None:
    assert look() == problem


def test_a_question_that_hangs_since_an_earlier_look_is_not_asked_again(tmp_path: Path) -> None:
    process = tmp_path / "123"
    process.mkdir()
    (tmp_path / "uptime").write_text("10000.00 1.0\n")
    program = Path(sys.executable)
    (process / "cmdline").write_bytes(f"{program}\0-V\0".encode())
    for started, stuck in ((100, True), (999_000, False)):
        (process / "stat").write_text("123 (a b) c) D " + " ".join(["0"] * 18) + f" {started} 0\n")
        assert ((str(program), "-V") in stuck_processes(tmp_path)) is stuck
        answer = Asker(time.monotonic() + 60, environment={"PATH": "/usr/bin"}, proc=tmp_path)(
            (str(program), "-V"), 20.0
        )
        assert (answer.problem == "process 123 hangs since an earlier look with the same question") is stuck
