"""A configuration file that cannot be read is one error that names it, and is never waited for."""

import os
from pathlib import Path

import pytest

from bkp.config import load_config
from bkp.errors import ConfigError
from tests.unit.core.config_support import BASE
from tests.unit.core.support import run_unprivileged


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such configuration file") as caught:
        load_config(tmp_path / "absent.yml")
    assert caught.value.remedy
    assert "--config" in caught.value.remedy


@pytest.mark.parametrize("kind", ["folder", "fifo", "file below a file"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config.yml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_text("x")
        path = path / "config.yml"
    with pytest.raises(ConfigError, match=r"a directory, not a file|not a regular file|cannot be read"):
        load_config(path)


def test_a_file_that_may_not_be_read_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(BASE)
    path.chmod(0)
    said = run_unprivileged(
        tmp_path, f"from pathlib import Path\nfrom bkp.config import load_config\nload_config(Path({str(path)!r}))"
    )
    assert "cannot be read: Permission denied" in said


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_bytes(b"#" * ((1 << 20) + 5))
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_config(path)


def test_errors_name_the_file_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("schema: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:1:")
