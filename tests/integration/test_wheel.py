"""The wheel, built and installed as a user would: nothing of the checkout may be needed afterwards."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from bkp import __version__

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"bkp-run": "runner.cli:main", "bkp-exporter": "exporter.cli:main", "bkp-audit": "auditor.cli:main"}
FOLDERS = ("rules", "dashboards", "systemd")
NOT_SHIPPED = "source/"  # what the dashboards are made from


def call(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    words = [str(part) for part in command]
    finished = subprocess.run(
        words, cwd=cwd, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert finished.returncode == 0, f"{command}:\n{finished.stdout}{finished.stderr}"
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel and nothing else, not even pip."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv")


@pytest.fixture(scope="module")
def working(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and with the tested versions of what the wheel depends on.

    Those are looked up where the tests have them, after what is installed here. The checkout is not: the .pth file that
    makes it importable for the tests is read by the tests' own environment alone.
    """
    venv = install(wheel, tmp_path_factory.mktemp("working") / "venv")
    (site,) = venv.glob("lib/python3.*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return venv


def install(wheel: Path, venv: Path) -> Path:
    call(sys.executable, "-m", "venv", "--without-pip", venv, cwd=wheel.parent)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", venv / "bin" / "python")
    call(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=wheel.parent)
    return venv


def published(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_is_pure_python_and_says_what_it_is(wheel: Path) -> None:
    assert wheel.name == "bkp_suite-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        metadata = message_from_string(archive.read("bkp_suite-0.1.0.dist-info/METADATA").decode())
    assert metadata["Name"] == "bkp-suite"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_wheel_installs_nothing_but_the_four_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/", 1)[0] for name in archive.namelist()}
    assert top == {"bkp", "runner", "exporter", "auditor", "bkp_suite-0.1.0.dist-info"}


@pytest.mark.parametrize("package", ["bkp", "runner", "exporter", "auditor"])
def test_the_wheel_carries_every_file_of_a_package(wheel: Path, package: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name.removeprefix(f"{package}/") for name in archive.namelist() if name.startswith(f"{package}/")}
    assert published(ROOT / package) <= inside
    assert "py.typed" in inside


def test_the_three_commands_are_declared_and_installed(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({e.name: e.value for e in m.distribution('bkp-suite').entry_points}))"
    )
    assert json.loads(call(installed / "bin" / "python", "-I", "-c", code, cwd=tmp_path)) == COMMANDS
    for command in COMMANDS:
        assert (installed / "bin" / command).stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_installed_data_folder_holds_every_file_of_the_checkouts(
    installed: Path, tmp_path: Path, folder: str
) -> None:
    code = f"from bkp.resources import data_dir; print(data_dir({folder!r}))"
    found = Path(call(installed / "bin" / "python", "-I", "-c", code, cwd=tmp_path).strip())
    assert found.is_relative_to(installed)
    assert {name for name in published(ROOT / folder) if not name.startswith(NOT_SHIPPED)} == published(found)
    assert published(found)


def test_the_commands_of_the_wheel_do_their_work_with_the_data_of_the_wheel(working: Path, tmp_path: Path) -> None:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    bin_dir, config = working / "bin", tmp_path / "config.yml"

    def run(name: str, *arguments: str | Path) -> str:
        return call(bin_dir / name, *arguments, cwd=tmp_path, env=bare)

    code = "import bkp, runner, exporter, auditor; print(*(m.__file__ for m in (bkp, runner, exporter, auditor)))"
    assert all(Path(found).is_relative_to(working) for found in run("python", "-c", code).split())

    config.write_text(run("bkp-run", "config", "example"))
    assert f"{config}: valid" in run("bkp-run", "--config", config, "config", "check")
    units = run("bkp-run", "--config", config, "units", "show")
    assert f"ExecStart={bin_dir}/bkp-run --config {config} nightly --unit" in units
    assert "# ---- tmpfiles.d/bkp.conf" in units
    assert run("bkp-exporter", "--version") == f"bkp-exporter {__version__}\n"
    rules = len(list((ROOT / "rules").glob("*/[A-Z]*.yml")))
    assert f"{rules} rules" in run("bkp-audit", "rules", "lint")
