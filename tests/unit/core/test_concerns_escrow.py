"""Concerns about what lies outside the server: one lapse is one concern, and names every location to visit."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bkp.attestations.file import append_attestations
from bkp.attestations.model import Attestation
from bkp.concerns import Concern, concerns_of
from bkp.config import parse_config
from bkp.escrow import escrow_standings, key_of
from bkp.past import MOST_KEYS
from bkp.state.store import StateStore
from bkp.survey import Survey, survey
from tests.support.observed import Observer, a_dataset
from tests.support.records import START, a_run

if TYPE_CHECKING:
    from pathlib import Path

ID, KEY, OTHER = "a" * 64, "1" * 64, "2" * 64
NOW = START + timedelta(hours=6)


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    """A server whose key a run has recorded, and on which all is well at both locations."""
    store = StateStore(tmp_path)
    found(store, KEY, 0)
    for place in ("codes.hc", "usb"):
        attest(store, subject=place, level="opened")
        attest(store, subject=place, topic="borg-passphrase", level="opened")
    return store


def found(store: StateStore, key: str | None, hours: float, subject: str = ID) -> None:
    """Record a run that found the key in the repository."""
    started = START + timedelta(hours=hours)
    store.write_ended(a_run("check", started, run_id=f"run-{hours}", subject=subject, key_fingerprint=key))


def attest(store: StateStore, **changes: Any) -> None:
    given: dict[str, Any] = {"id": "a", "topic": "borg-key", "subject": "codes.hc", "level": "matched"}
    given |= {"repository_id": ID, "bound_to": KEY, "statement": "compared", "who": "A. Operator", "host": "vault"}
    given |= {"at": START, "valid_until": START + timedelta(days=365), "previous": "0" * 64}
    append_attestations(store.root / "attestations.jsonl", [Attestation(**(given | changes))])


def config_of(store: StateStore, escrow: str = "[{name: codes.hc, valid_for: 90d}, {name: usb}]") -> Any:
    return parse_config(
        f"schema: 1\npaths: {{state: {store.root}}}\nrepositories: {{main: {{path: /r, sources: [home]}}}}\n"
        f"sources: {{home: {{path: /srv/home}}}}\nmail: {{when: never}}\naudit: {{escrow: {escrow}}}\n"
    )


def look(store: StateStore, days: float = 0, **more: Any) -> Survey:
    return survey(config_of(store, **more), store, lambda: NOW + timedelta(days=days), UTC, lambda _process: False)


def seen(store: StateStore, days: float = 0, **more: Any) -> list[Concern]:
    concerns = concerns_of(config_of(store, **more), look(store, days, **more))
    return [each for each in concerns if each.kind.startswith("escrow")]


def one(store: StateStore, days: float = 0, **more: Any) -> Concern:
    (concern,) = seen(store, days, **more)
    return concern


def test_all_is_well_and_nothing_is_said(store: StateStore) -> None:
    assert seen(store) == []
    assert seen(store, escrow="[]") == [], "that no location is configured the audit says"


def test_a_change_of_key_is_one_concern_that_names_the_locations_from_the_next_run_on(store: StateStore) -> None:
    found(store, OTHER, 2)
    concern = one(store)
    assert (concern.kind, concern.severity, concern.object) == ("escrow_outdated", "critical", "repository main")
    assert concern.sentence.endswith("outdated is what lies at codes.hc, usb")
    assert concern.since == START + timedelta(hours=2)
    for topic in ("borg-key", "borg-passphrase"):
        attest(store, bound_to=OTHER, topic=topic)
    concern = one(store)
    assert (concern.severity, concern.sentence.rpartition(" at ")[2]) == ("warning", "usb"), "one is renewed"
    found(store, KEY, 3)
    assert seen(store) == [], "the key is again the one that everything was attested for"


def test_another_repository_in_its_place_ends_everything(store: StateStore) -> None:
    found(store, OTHER, 2, subject="b" * 64)
    assert one(store).kind == "escrow_outdated"
    assert "another repository" in escrow_standings(config_of(store), look(store))[0].why


def test_what_ends_soon_and_what_has_ended(store: StateStore) -> None:
    concern = one(store, 80)
    assert (concern.kind, concern.severity) == ("escrow_ending", "info")
    assert "the key at codes.hc; the passphrase at codes.hc" in concern.sentence
    concern = one(store, 91)
    assert (concern.kind, concern.severity) == ("escrow_lapsed", "warning")
    assert concern.sentence.endswith("nobody vouches for the key at codes.hc; the passphrase at codes.hc")
    assert concern.since == START + timedelta(days=90)


def test_what_nobody_ever_attested_has_lapsed_whatever_the_location_is_called(store: StateStore) -> None:
    concern = one(store, escrow="[{name: codes.hc}, {name: usb}, {name: bank, holds: [key]}]")
    assert concern.object == "repository main"
    assert concern.sentence.endswith("the key at bank")


def test_a_runbook_and_a_zfs_key_belong_to_no_repository(store: StateStore) -> None:
    concern = one(store, escrow="[{name: bank, holds: [runbook, zfs-key]}]")
    assert (concern.kind, concern.object) == ("escrow_lapsed", "what lies outside")
    assert "the ZFS key at bank; the recovery runbook at bank" in concern.sentence


ROOT = "tank/Secure"
ON_ZFS = "[{name: bank, holds: [zfs-key]}, {name: usb, holds: [zfs-key]}]"


def seen_root(store: StateStore, escrow: str = ON_ZFS, **key: Any) -> list[Concern]:
    """Have the probe see the encryption root of the source, and return the concerns about what lies outside."""
    observer = Observer(store.root, NOW)
    below = {"encryption_root": ROOT, "mountpoint": "/srv"}
    observer.datasets = {
        ROOT: observer.part(a_dataset(ROOT, encryption_root=ROOT, mountpoint="none", **key)),
        f"{ROOT}/home": observer.part(a_dataset(f"{ROOT}/home", **below)),
    }
    observer.write()
    return seen(store, escrow=escrow)


def test_a_zfs_key_is_attested_for_its_encryption_root_and_a_change_is_told_by_the_next_look(store: StateStore) -> None:
    key = {"guid": "4711", "key_form": "passphrase", "key_fingerprint": KEY}
    (concern,) = seen_root(store, **key)
    assert (concern.kind, concern.object) == ("escrow_lapsed", f"encryption root {ROOT}")
    assert concern.sentence.endswith("nobody vouches for the ZFS key at bank, usb")
    for place in ("bank", "usb"):
        attest(store, subject=place, topic="zfs-key", repository_id="4711", bound_to=KEY)
    assert seen_root(store, **key) == []
    (concern,) = seen_root(store, **(key | {"key_fingerprint": OTHER}))
    assert (concern.kind, concern.severity) == ("escrow_outdated", "critical")
    assert concern.sentence == (
        f"encryption root {ROOT}: its key or passphrase was changed; outdated is what lies at bank, usb"
    )
    attest(store, subject="usb", topic="zfs-key", repository_id="4711", bound_to=OTHER)
    (concern,) = seen_root(store, **(key | {"key_fingerprint": OTHER}))
    assert (concern.severity, concern.sentence.rpartition(" at ")[2]) == ("warning", "bank")
    (concern,) = seen_root(store, **(key | {"guid": "4712"}))
    assert concern.kind == "escrow_outdated", "another encryption root has its name"


def test_a_raw_key_is_known_by_its_root_and_one_that_was_not_seen_is_unknown(store: StateStore) -> None:
    for place in ("bank", "usb"):
        attest(store, subject=place, topic="zfs-key", repository_id="4711", bound_to=KEY)
    assert seen_root(store, guid="4711", key_form="raw") == [], "that it was changed only an audit can tell"
    (concern,) = seen_root(store)
    assert (concern.kind, concern.object) == ("escrow_unknown", f"encryption root {ROOT}")
    (concern,) = seen_root(store, guid="4711", key_form="passphrase")
    assert concern.kind == "escrow_unknown", "its salt was not told"


def test_where_nothing_of_the_backup_is_encrypted_by_zfs_there_is_no_zfs_key_to_keep(store: StateStore) -> None:
    observer = Observer(store.root, NOW)
    observer.datasets = {
        "tank": observer.part(a_dataset("tank", encryption="off", encryption_root=None, mountpoint="/srv"))
    }
    observer.write()
    assert seen(store, escrow=ON_ZFS) == []


def test_copies_that_were_only_compared_prove_no_passphrase(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    found(store, KEY, 0)
    for topic in ("borg-key", "borg-passphrase"):
        attest(store, topic=topic)
    concern = one(store, escrow="[{name: codes.hc}]")
    assert (concern.kind, concern.severity) == ("escrow_unproven", "warning")
    attest(store, level="opened")
    assert seen(store, escrow="[{name: codes.hc}]") == []


def test_that_a_drill_is_due_is_told_before_the_year_is_over_and_once(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    found(store, KEY, 0)
    for topic in ("borg-key", "borg-passphrase"):
        attest(store, topic=topic, level="opened")
    for topic in ("borg-key", "borg-passphrase"):
        attest(store, topic=topic, at=START + timedelta(days=300), valid_until=START + timedelta(days=660))
    place = "[{name: codes.hc, valid_for: 300d}]"
    assert seen(store, 345, escrow=place) == []
    concern = one(store, 355, escrow=place)
    assert (concern.kind, concern.severity) == ("escrow_ending", "info")
    assert concern.sentence.endswith("on no copy of its key is proven to open it")
    assert one(store, 370, escrow=place).kind == "escrow_unproven"
    (concern,) = seen(store, 355, escrow="[{name: codes.hc, valid_for: 60d}]")
    assert "nobody vouches" in concern.sentence, "what ends on the same day is told once"


def test_what_cannot_be_trusted_counts_for_nothing_and_is_never_silence(store: StateStore) -> None:
    path = store.root / "attestations.jsonl"
    path.write_bytes(path.read_bytes().replace(b"compared", b"confused", 1))
    concern = one(store)
    assert (concern.kind, concern.severity) == ("escrow_unknown", "warning")
    assert "line 2 does not follow" in concern.sentence
    assert escrow_standings(config_of(store), look(store)) == []


def test_a_key_that_no_run_has_told_is_unknown(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    assert seen(store) == [], "before the first run there is nothing graver than that"
    found(store, None, 0)
    attest(store, level="opened")
    concern = one(store)
    assert (concern.kind, concern.severity) == ("escrow_unknown", "warning")
    assert "which key it has is not recorded" in concern.sentence
    found(store, KEY, 1)
    found(store, None, 2)
    assert key_of(look(store), "main") is not None, "a run that could not tell does not hide what the one before told"


def test_a_key_that_changes_all_the_time_does_not_fill_the_memory(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    for number in range(MOST_KEYS + 5):
        found(store, f"{number:064d}", number / 100)
    assert len(look(store).past.keys["main"]) == MOST_KEYS
    assert look(store).past.keys["main"][-1].fingerprint == f"{MOST_KEYS + 4:064d}"
