"""`make demo` and `make serve`, less their installing: in a copy of the checkout, with this environment's programs."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows or would add, and of its bytecode."""
    copy = tmp_path_factory.mktemp("copy") / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    for package in ("bkp", "runner", "exporter", "auditor"):  # the demo writes no bytecode: let it find what there is
        for compiled in (ROOT / package).rglob("__pycache__"):
            target = copy / compiled.relative_to(ROOT)
            shutil.copytree(compiled, target, ignore=lambda _, names: [each for each in names if each[-4:] != ".pyc"])
    return copy


@pytest.fixture
def checkout(tmp_path: Path, copied: Path) -> Path:
    """A checkout below a name that asks for quoting, whose files nobody changes."""
    copy = tmp_path / "check out"
    shutil.copytree(copied, copy, symlinks=True, copy_function=os.link)
    for outside in ("home", "tmp"):
        (tmp_path / outside).mkdir()
    return copy


def environment(checkout: Path) -> dict[str, str]:
    return os.environ | {
        "BKP_BIN": str(Path(sys.executable).parent),
        "PYTHONPATH": str(checkout),  # the copy's code, not that of the checkout the environment was made for
        "HOME": str(checkout.parent / "home"),
        "TMPDIR": str(checkout.parent / "tmp"),
    }


def start(checkout: Path, script: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [checkout / "scripts" / script],
        env=environment(checkout) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(checkout: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    process = start(checkout, script, **variables)
    stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS * 4)
    return subprocess.CompletedProcess(script, process.returncode, stdout, stderr)


def bkp_run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        Path(sys.executable).parent / "bkp-run",
        "-c",
        checkout / ".demo/config.yml",
        *arguments,
    ]
    return subprocess.run(command, env=environment(checkout), capture_output=True, text=True, check=False)


def history(checkout: Path) -> list[dict[str, object]]:
    finished = bkp_run(checkout, "history", "--json", "--last", "100")
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert found["chain"]["intact"] is True
    runs = found["runs"]
    assert isinstance(runs, list)
    return runs


def jobs(runs: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(each["job"], each["outcome"]) for each in runs]


def new_bytes(runs: list[dict[str, object]]) -> list[int]:
    """How much each nightly added to the repository."""
    return [each["result"]["archive"]["deduplicated_bytes"] for each in runs if each["job"] == "nightly"]  # type: ignore[index]


def outside(checkout: Path) -> list[Path]:
    return [path for folder in ("home", "tmp") for path in (checkout.parent / folder).rglob("*")]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def at_work_on(folder: Path) -> list[str]:
    """The command lines of all processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words.replace("\0", " "))
    return found


ONE_ROUND = [("nightly", "success"), ("nightly", "success"), ("check", "success"), ("verify", "success")]
ONE_ROUND.append(("drill", "success"))


def test_the_demo_makes_what_it_names_and_a_second_one_adds_two_nights(checkout: Path) -> None:
    first = run(checkout, "demo")

    assert (first.returncode, first.stderr) == (0, "")
    for step in ("sample", "repository", "night 1", "night 2", "check", "verify", "drill", "scrape", "audit"):
        assert re.search(rf"^  ✓ +\d+\.\d s  {step} ", first.stdout, re.MULTILINE), step
    demo = checkout / ".demo"
    for name in ("config.yml", "metrics.txt", "report.html"):
        assert f".demo/{name} " in first.stdout
    assert bkp_run(checkout, "config", "check").returncode == 0
    metrics = (demo / "metrics.txt").read_text()
    assert "# HELP bkp_" in metrics
    subprocess.run(["promtool", "check", "metrics"], input=metrics, text=True, check=True, capture_output=True)
    assert (demo / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")
    for secret in ("borg_env", "borg-key.txt"):
        assert (demo / "secrets" / secret).stat().st_mode & 0o777 == 0o600, secret
    runs = history(checkout)
    assert jobs(runs) == ONE_ROUND
    initial, second = new_bytes(runs)
    assert 0 < second < initial / 5

    again = run(checkout, "demo")

    assert (again.returncode, again.stderr) == (0, "")
    assert "anew" not in again.stdout
    assert "night 3" in again.stdout
    assert "night 4" in again.stdout
    runs = history(checkout)
    assert jobs(runs) == ONE_ROUND * 2
    assert all(0 < new < initial / 5 for new in new_bytes(runs)[1:])
    assert len(json.loads(bkp_run(checkout, "list", "--json").stdout)["archives"]) == 4
    assert outside(checkout) == []


def killed(checkout: Path, when: Callable[[], bool]) -> tuple[str, str]:
    """Start a demo and kill it with all its children at that moment, wait until none is left, return what it said."""
    process = start(checkout, "demo")
    wait_until(lambda: when() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    said = process.communicate()
    wait_until(lambda: not at_work_on(checkout / ".demo"))
    return said


def is_running(checkout: Path, job: str) -> bool:
    try:
        record = json.loads((checkout / f".demo/state/jobs/{job}/demo/latest.json").read_bytes())
    except FileNotFoundError:
        return False
    return bool(record["outcome"] == "running" and record["steps"])


def test_a_demo_killed_at_any_stage_is_made_anew_or_goes_on_and_leaves_no_exporter_and_no_torn_file(
    checkout: Path,
) -> None:
    killed(checkout, (checkout / ".demo/repository").exists)
    (checkout / ".demo/mine.txt").write_text("not the demo's to remove")

    stdout, stderr = killed(checkout, lambda: is_running(checkout, "nightly"))

    assert "an earlier one was ended before .demo was set up: making it anew" in stdout
    assert stderr == ""
    assert (checkout / ".demo/mine.txt").exists()

    stdout, stderr = killed(checkout, lambda: any("bkp-exporter" in words for words in at_work_on(checkout / ".demo")))

    assert stderr == ""
    assert "anew" not in stdout
    assert jobs(history(checkout)) == [("nightly", "interrupted"), *ONE_ROUND]
    assert not (checkout / ".demo/metrics.txt").exists()

    finished = run(checkout, "demo")

    assert (finished.returncode, finished.stderr) == (0, "")
    assert "anew" not in finished.stdout
    assert jobs(history(checkout)) == [("nightly", "interrupted"), *ONE_ROUND, *ONE_ROUND]
    assert (checkout / ".demo/metrics.txt").read_bytes().endswith(b"\n")
    assert (checkout / ".demo/mine.txt").exists()


def test_ctrl_c_ends_the_demo_with_one_line_and_130(checkout: Path) -> None:
    process = start(checkout, "demo")
    wait_until(lambda: is_running(checkout, "nightly"))
    os.killpg(process.pid, signal.SIGINT)

    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, stderr) == (130, "demo: interrupted; make demo goes on from what is there\n")
    # A borg that is just being started dies with bkp-run, which the kernel sees to (PR_SET_PDEATHSIG).
    wait_until(lambda: not at_work_on(checkout / ".demo"))
    # A night that had just ended by itself stays what it was.
    assert jobs(history(checkout)) in ([("nightly", "interrupted")], [("nightly", "success")])


def test_a_file_where_the_demo_belongs_ends_it_with_one_clear_line(checkout: Path) -> None:
    (checkout / ".demo").write_text("mine")

    finished = run(checkout, "demo")

    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr == "demo: error: .demo is not a folder\n  remedy: move it away\n"
    assert (checkout / ".demo").read_text() == "mine"


def test_a_broken_configuration_and_a_failing_job_end_the_demo_with_the_reason(checkout: Path) -> None:
    killed(checkout, (checkout / ".demo/complete").exists)
    config = checkout / ".demo/config.yml"
    good = config.read_text()

    config.write_text(good.replace("schema: 1", "schema: 1\nschemer: 2"))
    finished = run(checkout, "demo")

    assert finished.returncode == 1
    line = good.splitlines().index("schema: 1") + 2
    assert finished.stderr.startswith(f"demo: error: {config}:{line}:")
    assert "schemer" in finished.stderr.splitlines()[0]

    config.write_text(good.replace(f"{checkout}/.demo/source", f"{checkout}/.demo/elsewhere"))
    finished = run(checkout, "demo")

    assert finished.returncode == 1
    assert re.match(r"demo: error: night \d: .*elsewhere is not there", finished.stderr)
    assert len(finished.stderr.splitlines()) == 2


def test_serving_without_a_demo_says_to_make_one(checkout: Path) -> None:
    finished = run(checkout, "serve")

    assert finished.returncode == 1
    assert finished.stderr == "serve: error: there is no demo to serve yet\n  remedy: run `make demo` first\n"


@pytest.fixture
def set_up(checkout: Path) -> Path:
    """A demo with nothing but its settings: enough to be served."""
    killed(checkout, (checkout / ".demo/complete").exists)
    return checkout


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield int(taken.getsockname()[1])


def test_serving_on_a_port_that_is_taken_says_how_to_take_another(set_up: Path, taken_port: int) -> None:
    finished = run(set_up, "serve", LISTEN=f"127.0.0.1:{taken_port}")

    assert finished.returncode == 1
    assert f"cannot listen on 127.0.0.1:{taken_port}" in finished.stderr
    assert finished.stderr.endswith("remedy: take another port: make serve LISTEN=127.0.0.1:10046\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_prints_the_address_and_leaves_nobody_behind(set_up: Path, number: signal.Signals) -> None:
    process = start(set_up, "serve", LISTEN="127.0.0.1:0")
    assert process.stdout is not None
    said = process.stdout.readline() + process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/", said)
    assert found, said

    with urllib.request.urlopen(f"{found[0]}-/healthy", timeout=PATIENCE_SECONDS) as answer:
        assert answer.status == 200

    # As a terminal does it for Ctrl-C, and as kill(1) does it to the script alone.
    if number is signal.SIGINT:
        os.killpg(process.pid, number)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
    else:
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_SECONDS)
    wait_until(lambda: not at_work_on(set_up / ".demo"))
