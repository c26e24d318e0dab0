"""The lab's own promises: red is red and says why, an unfinished build is no image, a dead session leaves nothing."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from tests.vm.lab import accel, image, inside, kernel, qemu, recipe, runs, summary, tree, wheels, workers
from tests.vm.lab.errors import LabError
from tests.vm.lab.locks import try_lock
from tests.vm.lab.paths import CHECKOUT, IMAGE_RECIPE, Lab, lab
from tests.vm.lab.progress import Progress
from tests.vm.lab.recipe import Recipe, Release

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent


@pytest.fixture
def other_lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "lab")


@pytest.fixture(scope="module")
def broken(release: Release) -> tuple[str, list[Path]]:
    """Run what is broken on purpose; return what pytest said, and the folders that its failures left."""
    kept = lab().root / "failures"
    before = set(kept.glob("*"))
    command = [sys.executable, "-m", "pytest", str(HERE / "broken_on_purpose.py"), "--release", release.name]
    done = subprocess.run([*command, "-p", "no:cacheprovider"], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "3 failed" in done.stdout, done.stdout
    # Another worker may be at the same test with another release.
    new = [each for each in kept.glob(f"*-broken-on-purpose-py-test-a-service-*{release.name}-") if each not in before]
    return done.stdout, new


@pytest.mark.once
@pytest.mark.needs("system")
def test_a_broken_test_is_red_and_shows_the_guests_journal_and_console(broken: tuple[str, list[Path]]) -> None:
    said, folders = broken
    assert "systemd-run --quiet --wait --unit=lab-broken false` ended with 1" in said
    assert "journal of server" in said
    assert "the reason only the journal knows" in said
    assert "console of server" in said
    assert "the reason only the console knows" in said
    assert "the lab never skips" in said
    assert "the reason only the console knows" in (folders[0] / "server-console.log").read_text("utf-8", "replace")
    assert "the reason only the journal knows" in (folders[0] / "report.txt").read_text("utf-8")


@pytest.mark.once
@pytest.mark.needs("system")
def test_a_project_that_is_broken_in_one_place_turns_its_test_red(broken: tuple[str, list[Path]]) -> None:
    said, _ = broken
    assert "assert site.left_behind() == []" in said
    assert "tank/Secure/backup@bkp-" in said


def test_lab_tests_are_not_collected_unless_they_are_named() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "tests"], cwd=CHECKOUT, capture_output=True, text=True)
    assert "tests/unit" in done.stdout
    assert "tests/vm" not in done.stdout


def test_on_a_host_what_needs_only_a_pool_is_chosen_and_the_rest_is_named() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--on-host"]
    done = subprocess.run([*command, str(HERE)], cwd=CHECKOUT, capture_output=True, text=True)
    chosen, _, left_out = done.stdout.partition("left out: only the lab's machines can")

    names = re.findall(r"(test_\w+\.py)::.*\[on-host\]", chosen)
    assert Counter(names) == {"test_lab.py": 1, "test_nightly_on_zfs.py": 7}
    for module in ("test_interrupted_nights.py", "test_timers.py", "test_replication.py"):
        assert module in left_out


def test_an_image_is_the_right_one_only_while_nothing_of_its_recipe_changed(tmp_path: Path) -> None:
    release = recipe.release_named("bookworm")
    folder = tmp_path / "image"
    shutil.copytree(IMAGE_RECIPE, folder)
    before = Recipe(release, "key", folder).digest
    assert Recipe(release, "key", folder).digest == before
    assert Recipe(release, "another key", folder).digest != before
    assert Recipe(recipe.release_named("trixie"), "key", folder).digest != before
    with (folder / "packages").open("a") as packages:
        packages.write("one-more\n")
    assert Recipe(release, "key", folder).digest != before


def test_a_red_run_in_a_tree_is_red_shows_its_python_and_leaves_nothing(other_lab: Lab) -> None:
    debian, progress = recipe.release_named("trixie"), Progress("trixie")
    root, _tree_held = tree.ensure(debian, lab(), progress)
    wheels.wheelhouse(debian.python, lab(), progress, inside.LOCK, alone=inside.AXE)
    other_lab.root.mkdir()
    for shared in (lab().trees, lab().wheels):
        (other_lab.root / shared.name).symlink_to(shared)
    before = sorted(path.name for folder in (root, root / "root", root / "tmp") for path in folder.iterdir())

    command = [sys.executable, "-m", "tests.vm.lab", "test", "--pytest-args", "tests/unit/there_is_no_such_test.py"]
    environment = {**os.environ, "BKP_LAB": str(other_lab.root)}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)

    assert done.returncode == 2, done.stdout + done.stderr
    assert f"Python {debian.python}." in done.stdout
    assert "there_is_no_such_test.py" in done.stdout + done.stderr
    assert not list(other_lab.building.iterdir())
    assert before == sorted(path.name for folder in (root, root / "root", root / "tmp") for path in folder.iterdir())


def test_a_build_that_was_killed_leaves_nothing_that_counts_as_an_image(other_lab: Lab) -> None:
    environment = {**os.environ, "BKP_LAB": str(other_lab.root)}
    command = [sys.executable, "-m", "tests.vm.lab", "image", "--release", "bookworm"]
    builder = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=subprocess.PIPE, text=True)
    assert builder.stderr is not None
    for line in builder.stderr:
        if "packages" in line:
            break
    else:
        pytest.fail(f"the build ended early (it needs root), exit code {builder.wait()}")
    _wait_for_file(other_lab.building, "image-bookworm-*/root/var")
    builder.kill()
    builder.wait()
    builder.stderr.close()

    assert image.find(recipe.release_named("bookworm"), other_lab) is None
    assert not list(other_lab.images.iterdir())
    lock = try_lock(other_lab.root / "build-bookworm.lock")
    assert lock is not None, "the killed builder still holds its lock"
    lock.release()
    for left in other_lab.building.iterdir():
        _wait_until_unused(left)
        subprocess.run(["rm", "-rf", "--one-file-system", str(left)], check=True)


def _wait_for_file(folder: Path, pattern: str) -> None:
    _poll(lambda: any(folder.glob(pattern)), f"{pattern} in {folder}")


def _wait_until_unused(folder: Path) -> None:
    """Wait until no process of the killed build is left: its root or its command line would be below the folder."""

    def used() -> bool:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
                root = str((process / "root").readlink())
            except OSError:
                continue
            if str(folder).encode() in words or root.startswith(str(folder)):
                return True
        return False

    _poll(lambda: not used(), f"the build's processes in {folder} to end")


def _poll(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.2)


def test_a_sweep_ends_only_a_process_that_names_its_pid_file(other_lab: Lab) -> None:
    abandoned, hold = runs.claim(other_lab, "server")
    pidfile = abandoned / runs.PIDFILE
    ours = subprocess.Popen([sys.executable, "-c", "input()", "-pidfile", str(pidfile)], stdin=subprocess.PIPE)
    strange = subprocess.Popen([sys.executable, "-c", "input()", "of somebody else"], stdin=subprocess.PIPE)
    innocent, innocent_hold = runs.claim(other_lab, "reused")
    try:
        pidfile.write_text(f"{ours.pid}\n")
        (innocent / runs.PIDFILE).write_text(f"{strange.pid}\n")

        assert runs.sweep(other_lab) == [], "machines of a living session were swept"
        hold.release()
        innocent_hold.release()

        # The end of a child is seen by its parent only when it waits for it, which the sweep cannot do for us.
        reaper = subprocess.Popen([sys.executable, "-m", "tests.vm.lab", "sweep"], cwd=CHECKOUT, env=_env(other_lab))
        assert ours.wait() == -9
        assert reaper.wait() == 0
        assert strange.poll() is None
        assert not list(other_lab.runs.iterdir())
    finally:
        for process in (ours, strange):
            process.kill()
            process.communicate()


def _env(where: Lab) -> dict[str, str]:
    return {**os.environ, "BKP_LAB": str(where.root)}


def test_kvm_is_not_assumed_because_its_device_opens() -> None:
    assert accel.cpu_can_virtualise("processor: 0\nflags\t\t: fpu vme vmx avx\n")
    assert accel.cpu_can_virtualise("flags\t\t: fpu svm\n")
    assert not accel.cpu_can_virtualise("flags\t\t: fpu svm_lock vmxnet\nbugs: vmx\n")


def test_nothing_of_a_machine_listens_beyond_loopback(tmp_path: Path) -> None:
    hardware = qemu.Hardware(tmp_path, tmp_path / "vmlinux", tmp_path / "initrd", "server")
    networks = [word for word in qemu.command_line(hardware, tmp_path / "pid") if "hostfwd" in word]
    assert networks == ["user,id=host,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"]


def _packed(code: bytes, *, announced: bytes | None = None) -> bytes:
    """Return a bzImage as far as its boot header tells where the packed kernel lies: after one sector of set-up."""
    body = lzma.compress(code) + len(announced or code).to_bytes(4, "little")
    header = bytearray(1024)
    header[0x1F1] = 1
    header[0x202:0x206] = b"HdrS"
    header[0x248:0x250] = (8).to_bytes(4, "little") + len(body).to_bytes(4, "little")
    return bytes(header) + b"unpacker" + body + b"what follows"


def test_a_kernel_is_unpacked_for_the_guest() -> None:
    assert kernel.unpack(_packed(b"\x7fELF and code"), zstd=()) == b"\x7fELF and code"


@pytest.mark.parametrize(
    ("vmlinuz", "why"),
    [
        (b"MZ" * 1024, "no bzImage"),
        (_packed(b"something else"), "ELF"),
        (_packed(b"\x7fELF and code", announced=b"\x7fELF and more code"), "ELF"),
        (_packed(b"\x7fELF").replace(b"\xfd7zXZ", b"LZ4-1"), "neither by xz nor by zstd"),
        (_packed(b"\x7fELF" * 100)[:1060] + bytes(200), "damaged"),
    ],
)
def test_what_is_no_kernel_does_not_become_one(vmlinuz: bytes, why: str) -> None:
    with pytest.raises(LabError, match=why):
        kernel.unpack(vmlinuz, zstd=())


def test_an_unknown_release_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="known: bookworm, trixie"):
        recipe.release_named("sid")


def test_tests_that_share_a_machine_share_a_worker() -> None:
    lab_test = "tests/vm/test_lab.py::test_a_scrub"
    assert workers.machine_of(f"{lab_test}[trixie]") == "tests/vm/test_lab.py trixie"
    assert workers.machine_of(f"{lab_test}[bookworm-prune]") == "tests/vm/test_lab.py bookworm"
    assert workers.machine_of(f"{lab_test}[bookworm-backports-prune]") == "tests/vm/test_lab.py bookworm-backports"
    assert workers.machine_of(lab_test) == "tests/vm/test_lab.py"


def test_what_takes_longest_begins_first_and_what_is_not_known_before_it() -> None:
    known = ["tests/vm/test_lab.py trixie", "tests/vm/test_replication.py trixie", "tests/vm/test_new.py bookworm"]
    assert workers.longest_first(known) == [known[2], known[1], known[0]]


def test_what_runs_once_runs_on_one_release_and_its_parameters_alternate() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(HERE)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    killed = re.findall(r"test_sigkill_in_a_step\w*\[(\w+)-(\w+)\]", done.stdout)
    assert len(killed) == len({step for _, step in killed}) == 8
    assert Counter(release for release, _ in killed) == {"bookworm": 4, "trixie": 4}
    assert set(re.findall(r"test_on_host.py::\w+\[(\w+)\]", done.stdout)) == {"trixie"}

    alone = subprocess.run([*command, "--release", "trixie"], cwd=CHECKOUT, capture_output=True, text=True)
    assert len(re.findall(r"test_sigkill_in_a_step", alone.stdout)) == 8


def test_the_result_counts_and_times_each_module_on_each_release() -> None:
    def report(name: str, when: Literal["setup", "call"], outcome: Literal["passed", "failed"]) -> pytest.TestReport:
        return pytest.TestReport(f"tests/vm/test_lab.py::{name}", ("", 0, ""), {}, outcome, None, when, duration=90)

    assert summary.table(
        [
            report("test_a[trixie]", "setup", "passed"),
            report("test_a[trixie]", "call", "passed"),
            report("test_b[trixie-x]", "call", "failed"),
            report("test_a[bookworm]", "setup", "failed"),
        ]
    )[2:] == [
        "| bookworm | `test_lab.py` | 1 failed | 1.5 |",
        "| trixie | `test_lab.py` | 1 failed, 1 passed | 4.5 |",
    ]


def test_progress_says_how_long_it_took() -> None:
    lines: list[str] = []
    Progress("image", lines.append).say("compressing")
    assert lines[0].endswith(" s] image: compressing\n")
