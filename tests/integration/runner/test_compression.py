"""Compressions: what the configuration takes the real borg takes, and what borg refuses is refused before the night."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bkp.config import parse_config
from bkp.errors import ConfigError
from tests.support.repositories import BORG
from tests.support.runner_world import borg_environment

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.config import Config

VALID = [
    *("none", "lz4", "zlib", "zlib,0", "zlib,9", "lzma,9", "zstd", "zstd,1", "zstd,22", "auto,lz4", "auto,zstd,3"),
    *("obfuscate,6,lz4", "obfuscate,110,zstd,3", "obfuscate,123,auto,zstd,9"),
]
INVALID = [
    *("zstdd,99", "gzip", "zstd,0", "zstd,23", "zlib,10", "zlib,9,1", "auto", "auto,zstd,3,4", "obfuscate,1"),
    *("obfuscate,7,lz4", "obfuscate,124,lz4", "zstd,x"),
]


def _configured(compression: str) -> Config:
    return parse_config(
        "schema: 1\nmail: {when: never}\nsources: {data: {path: /x}}\n"
        f"repositories: {{main: {{path: /r, compression: '{compression}', sources: [data]}}}}\n"
    )


def _borg_takes(compression: str, folder: Path) -> bool:
    command = [BORG, "create", "--dry-run", "--compression", compression, f"{folder}/none::x", str(folder)]
    done = subprocess.run(command, env=borg_environment(folder), capture_output=True, text=True)
    # 1.2 calls every value that it refuses an "invalid CompressionSpec", 1.4 says what is wrong with it.
    assert (done.returncode == 0) is ("error: argument -C/--compression: " not in done.stderr), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("compression", VALID)
def test_a_compression_that_borg_takes_can_be_configured(compression: str, tmp_path: Path) -> None:
    assert _borg_takes(compression, tmp_path)
    assert _configured(compression).repositories["main"].compression == compression


@pytest.mark.parametrize("compression", INVALID)
def test_a_compression_that_borg_refuses_is_refused_when_the_file_is_read(compression: str, tmp_path: Path) -> None:
    assert not _borg_takes(compression, tmp_path)
    with pytest.raises(ConfigError, match="wanted none, lz4, zstd"):
        _configured(compression)


@pytest.mark.parametrize("compression", ["lz4,9", "none,1", "auto,auto,zstd"])
def test_what_borg_would_take_in_part_only_is_refused(compression: str, tmp_path: Path) -> None:
    assert _borg_takes(compression, tmp_path)
    with pytest.raises(ConfigError, match="wanted none, lz4, zstd"):
        _configured(compression)
