"""The project file, the locked requirements and the shipped folders agree with each other."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bkp.resources import DataFolder, data_dir

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
LOCKS = ("runtime.txt", "build.txt", "dev.txt")
FOLDERS: tuple[DataFolder, ...] = ("rules", "dashboards", "systemd")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?=\s|$)")


def locked(name: str) -> dict[str, str]:
    """Each locked package with its entry: the pin, the markers and the hashes, continued lines joined."""
    text = (REQUIREMENTS / name).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {canonicalize_name(re.split(r"[=\s]", entry, maxsplit=1)[0]): entry for entry in entries}


def pin(entry: str) -> Requirement:
    return Requirement(HASH.sub("", entry).strip())


def project() -> dict[str, object]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(table, dict)
    return table


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_is_pinned_exactly_and_has_a_hash(name: str) -> None:
    entries = locked(name)
    assert entries
    for package, entry in entries.items():
        assert [specifier.operator for specifier in pin(entry).specifier] == ["=="], package
        assert HASH.search(entry), package


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.iterdir()), ids=lambda path: path.name)
def test_no_requirements_file_names_an_index_or_an_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"://|index-url|find-links|trusted-host", text)


def test_the_runtime_lock_satisfies_every_declared_dependency() -> None:
    declared = project()["dependencies"]
    assert isinstance(declared, list)
    pins = {name: pin(entry) for name, entry in locked("runtime.txt").items()}
    for text in declared:
        requirement = Requirement(text)
        (specifier,) = pins[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(specifier.version), text


@pytest.mark.parametrize("name", ["runtime.txt", "build.txt"])
def test_the_development_lock_contains_the_same_versions_and_hashes(name: str) -> None:
    development = locked("dev.txt")
    for package, entry in locked(name).items():
        assert pin(development[package]).specifier == pin(entry).specifier, package
        assert set(HASH.findall(development[package])) == set(HASH.findall(entry)), package


@pytest.mark.parametrize("name", FOLDERS)
def test_a_checkout_serves_the_data_folders_at_its_top(name: DataFolder) -> None:
    assert data_dir(name) == ROOT / name


def test_an_unknown_data_folder_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ValueError, match="unknown data folder 'ruels'; the shipped ones are rules, dashboards"):
        data_dir("ruels")  # type: ignore[arg-type]


def test_an_incomplete_installation_names_both_places_it_looked_at(tmp_path: Path) -> None:
    installed = tmp_path / "site"
    (installed / "bkp").mkdir(parents=True)
    for name in ("__init__.py", "resources.py"):
        shutil.copy(ROOT / "bkp" / name, installed / "bkp" / name)
    # Another distribution's folder of the same name: it must not be mistaken for ours.
    (installed / "rules").mkdir()

    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from bkp.resources import data_dir; data_dir('rules')"
    finished = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)

    assert finished.returncode == 1
    error = finished.stderr.splitlines()[-1]
    assert error.startswith("FileNotFoundError: shipped folder 'rules' found neither at ")
    assert str(installed / "bkp" / "_data" / "rules") in error
    assert str(installed / "rules") in error
    assert error.endswith("reinstall bkp-suite")


@pytest.mark.parametrize("package", ["bkp", "runner", "exporter", "auditor"])
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_a_commit_is_judged_by_the_types_of_all_that_make_lint_judges() -> None:
    script = (ROOT / "scripts/lint").read_text(encoding="utf-8")
    places = re.findall(r"python_places\+?=\(([^)]*)\)", script)
    hook = re.search(r"entry: \.venv/bin/mypy (.*)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert hook is not None
    assert sorted(hook[1].split()) == sorted(" ".join(places).split())
