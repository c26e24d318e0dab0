"""The wheel, built and installed as a user would: nothing of the checkout may be needed afterwards."""

import json
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"bkp-run": "runner.cli:main", "bkp-exporter": "exporter.cli:main", "bkp-audit": "auditor.cli:main"}
FOLDERS = ("rules", "dashboards", "systemd")


def call(*command: str | Path, cwd: Path) -> str:
    finished = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
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
    venv = tmp_path_factory.mktemp("installed") / "venv"
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
    assert published(ROOT / folder) == published(found)
    assert published(found)
