"""When a pause ends: what people write, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from bkp.errors import UsageError
from runner.cli import cli
from runner.commands.pausing import end_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 10:00 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("6h", NOW + timedelta(hours=6)),
        ("1d 12h", NOW + timedelta(hours=36)),
        ("2026-11-23T18:00", datetime(2026, 11, 23, 17, 0, tzinfo=UTC)),
        ("2026-11-23 18:00", datetime(2026, 11, 23, 17, 0, tzinfo=UTC)),
        ("2026-11-25", datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),
        ("2026-11-23T18:00+00:00", datetime(2026, 11, 23, 18, 0, tzinfo=UTC)),
    ],
)
def test_the_end_is_a_local_time_or_a_duration(text: str, end: datetime) -> None:
    assert end_of(text, NOW, BERLIN) == end


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tomorrow", "is no time"),
        ("", "is no time"),
        ("2026-11-23T10:00", "is over already"),
        ("0s", "is over already"),
        ("32d", "more than 31 days away"),
        ("9999-12-31", "more than 31 days away"),
    ],
)
def test_a_time_that_is_none_or_over_or_too_far_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        end_of(text, NOW, BERLIN)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two repositories."""
    path = tmp_path / "config.yml"
    path.write_text(
        f"schema: 1\npaths: {{state: {tmp_path}/state}}\nsources: {{data: {{path: /srv}}}}\nmail: {{when: never}}\n"
        "repositories: {main: {path: /r, sources: [data]}, other: {path: /o, sources: [data]}}\n"
    )
    return path


def answer(config: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["--config", str(config), *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_a_pause_is_set_shown_and_ended_for_one_target_or_all(config: Path) -> None:
    set_it = ["pause", "check", "--until", "6h", "--reason", "new  disk"]
    assert answer(config, *set_it, "--dry-run").count("would be paused until") == 2
    assert answer(config, "pause") == "no job is paused\n"
    assert answer(config, *set_it).count("(6h in all): new disk") == 2
    assert answer(config, "pause").count("is paused until") == 2
    assert answer(config, "resume", "check", "-t", "main") == "check on main is no longer paused\n"
    assert answer(config, "pause").startswith("check on other is paused until")
    assert '"target":"other"' in answer(config, "pause", "--json")


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause", "check"],
        ["pause", "check", "--until", "6h"],
        ["pause", "check", "--until", "6h", "--reason", " "],
        ["pause", "check", "--until", "6h", "--reason", "x" * 201],
        ["pause", "--until", "6h"],
        ["pause", "check", "-t", "third", "--until", "6h", "--reason", "x"],
        ["resume", "check"],
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(config: Path, arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        answer(config, *arguments)
    assert not (config.parent / "state").exists()


def test_a_file_that_cannot_be_read_is_removed_by_resume(config: Path) -> None:
    answer(config, "pause", "check", "--until", "6h", "--reason", "x")
    path = config.parent / "state/jobs/check/main/pause.json"
    path.write_text("{")
    assert answer(config, "resume", "check", "-t", "main") == "check on main is no longer paused\n"
    assert not path.exists()
