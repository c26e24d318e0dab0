"""The command line, run as people run it."""

import subprocess
import sys

import pytest

from tests.support.exporter_world import World, healthy
from tests.support.exposition import openmetrics_series, text_series

EXPORTER = (sys.executable, "-m", "exporter.cli")


def run(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*EXPORTER, *arguments], capture_output=True, timeout=60)


@pytest.mark.parametrize("arguments", [["metrics"], ["--once"]])
def test_metrics_go_to_standard_output_and_nothing_else_does(world: World, arguments: list[str]) -> None:
    healthy(world)
    done = run("--config", str(world.config_path), *arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("bkp_repository_archives", frozenset({("repository", "main")})) in text_series(done.stdout)


def test_openmetrics_can_be_asked_for_and_config_may_follow_the_subcommand(world: World) -> None:
    done = run("metrics", "--config", str(world.config_path), "--format", "openmetrics")
    assert done.returncode == 0
    assert openmetrics_series(done.stdout)


def test_the_page_goes_to_standard_output(world: World) -> None:
    done = run("page", "--config", str(world.config_path))
    assert done.returncode == 0
    assert done.stdout.endswith(b"</html>\n")


@pytest.mark.parametrize("command", [[], ["metrics"], ["page"], ["--once"]])
def test_a_bad_configuration_is_one_error_with_file_and_line_and_exit_code_2(world: World, command: list[str]) -> None:
    with world.config_path.open("a", encoding="utf-8") as handle:
        handle.write("surprise: 1\n")
    done = run("--config", str(world.config_path), *command)
    assert done.returncode == 2
    assert done.stdout == b""
    error = done.stderr.decode()
    assert error.startswith(f"bkp-exporter: error: {world.config_path}:")
    assert "surprise" in error
    assert "Traceback" not in error


def test_no_configuration_says_what_to_do(world: World) -> None:
    done = run("--config", str(world.root / "nowhere.yml"))
    assert done.returncode == 2
    assert b"no such configuration file" in done.stderr
    assert b"remedy:" in done.stderr


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1", "127.0.0.1:99999", ":10045"])
def test_an_address_that_is_none_is_a_usage_error(world: World, listen: str) -> None:
    done = run("--config", str(world.config_path), "--listen", listen)
    assert done.returncode == 2
    assert b"wanted an address such as 127.0.0.1:10045" in done.stderr


def test_help_has_examples_and_version_is_the_version() -> None:
    from bkp import __version__

    shown = run("--help").stdout.decode()
    assert "Examples:" in shown
    assert "bkp-exporter metrics | promtool check metrics" in shown
    assert run("--version").stdout.decode() == f"bkp-exporter {__version__}\n"


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from exporter.cli import main; sys.argv[1:] = ['--version']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted({'prometheus_client', 'jinja2', 'yaml', 'msgspec', 'http', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, text=True)
    assert done.stdout.splitlines()[1:] == [""]


def test_a_reader_that_goes_away_is_no_error(world: World) -> None:
    healthy(world)
    command = f"{' '.join(EXPORTER)} --config {world.config_path} page | head -c 10 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
