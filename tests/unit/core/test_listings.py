"""What a repository lists, held against what was recorded of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from bkp.concerns import concerns_of
from bkp.config import parse_config
from bkp.listings import counted, missed
from bkp.state.results import Gone, Listed
from bkp.state.store import StateStore
from bkp.survey import survey
from bkp.tools.borg.client import ArchiveListing
from tests.support.records import START, a_night, a_run, an_archive

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
CONFIG = parse_config(
    "schema: 1\nrepositories: {main: {path: /r, sources: [home]}}\n"
    "sources: {home: {path: /srv/home}}\nmail: {when: never}\n"
)


def archive(name: str, digit: str, day: int = 20) -> ArchiveListing:
    return ArchiveListing(name, digit * 64, datetime(2026, 11, day, 2, 30, tzinfo=UTC))


def test_counted_are_those_of_the_prefix_that_are_not_of_the_future() -> None:
    there = [archive("backup-a", "a"), archive("unproven-backup-b", "b"), archive("other-c", "c")]
    assert counted([*there, archive("backup-d", "d", 24)], "backup", NOW) == {"backup-a": "a" * 16}


def test_missed_is_what_is_not_there_by_its_id_and_what_was_missed_before() -> None:
    yesterday = NOW - timedelta(days=1)
    lost, back = Gone(id="1" * 16, since=yesterday), Gone(id="2" * 16, since=yesterday)
    before = Listed(
        held={"backup-a": "a" * 16, "backup-b": "b" * 16, "backup-c": "c" * 16},
        gone={"backup-lost": lost, "backup-back": back},
    )
    there = [archive("backup-a", "a"), archive("backup-b", "f"), archive("renamed", "c"), archive("backup-back", "2")]
    assert missed(before, there, NOW) == {"backup-lost": lost, "backup-b": Gone(id="b" * 16, since=NOW)}


def test_what_is_gone_stays_a_concern_until_a_listing_says_otherwise(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state")

    def night(days: int, listed: Listed | None) -> None:
        began = START + timedelta(days=days)
        result = msgspec.structs.replace(a_night(an_archive(began)), listed=listed)
        store.write_ended(a_run(started=began, result=result, subject="ab" * 32))

    def gone() -> list[str]:
        found = survey(CONFIG, store, lambda: START + timedelta(days=3), UTC, lambda _process: False)
        return [each.sentence for each in concerns_of(CONFIG, found) if each.kind == "archives_gone"]

    night(0, Listed(held={}, gone={"backup-a": Gone(id="a" * 16, since=START)}))
    assert gone() == ["repository main: 1 archive is gone that no prune of ours removed: backup-a"]
    night(1, None)  # it died before it could ask
    assert len(gone()) == 1
    night(2, Listed(held={}))
    assert gone() == []
