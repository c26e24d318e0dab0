"""The local zone is the one that systemd reckons schedules in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bkp.clock import local_zone, utc_now

ZONEINFO = Path("/usr/share/zoneinfo")
SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)


def offset(localtime: Path, **environ: str) -> timedelta | None:
    return SUMMER.replace(tzinfo=local_zone(localtime, environ)).utcoffset()


@pytest.fixture
def berlin(tmp_path: Path) -> Path:
    path = tmp_path / "localtime"
    path.symlink_to(ZONEINFO / "Europe/Berlin")
    return path


def test_now_is_aware_and_in_utc() -> None:
    assert utc_now().tzinfo is UTC


def test_without_tz_the_zone_is_that_of_etc_localtime(berlin: Path) -> None:
    assert offset(berlin) == timedelta(hours=2)
    assert str(local_zone(berlin, {})) == "Europe/Berlin"


def test_a_copied_localtime_is_as_good_as_a_link(tmp_path: Path) -> None:
    path = tmp_path / "localtime"
    path.write_bytes((ZONEINFO / "Europe/Berlin").read_bytes())
    assert offset(path) == timedelta(hours=2)


@pytest.mark.parametrize(
    "name", ["America/New_York", ":America/New_York", f"{ZONEINFO}/America/New_York", f":{ZONEINFO}/America/New_York"]
)
def test_tz_goes_before_etc_localtime(berlin: Path, name: str) -> None:
    assert offset(berlin, TZ=name) == timedelta(hours=-4)


@pytest.mark.parametrize(
    "name",
    ["", ":", "Nowhere/Land", "../../etc/passwd", "/nonexistent", "/etc/passwd", "Europe", "zone.tab", "a\ud800"],
)
def test_an_empty_or_unknown_tz_means_utc_as_in_the_c_library(berlin: Path, name: str) -> None:
    assert offset(berlin, TZ=name) == timedelta(0)


@pytest.mark.parametrize("length", [0, 3, 20, 43, 44, 45, 60, 200, 1000])
def test_a_torn_localtime_means_utc(tmp_path: Path, length: int) -> None:
    path = tmp_path / "localtime"
    path.write_bytes((ZONEINFO / "Europe/Berlin").read_bytes()[:length])
    assert offset(path) is not None


def test_a_missing_localtime_or_a_folder_means_utc(tmp_path: Path) -> None:
    assert local_zone(tmp_path / "absent", {}) is UTC
    assert local_zone(tmp_path, {}) is UTC
