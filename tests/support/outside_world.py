"""What a world has to do with the outside: live servers, keys that lie elsewhere, mails. One in order, one not.

Both are put in first: what they record is older than what `healthy` does.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.attestations.file import append_attestations
from bkp.attestations.model import Attestation
from bkp.mail.outbox import Outbox
from bkp.state.files import write_record
from bkp.state.results import Partial, ReplicaDataset, SyncResult
from bkp.state.watch import WatchRecord
from tests.support.exporter_world import make_run
from tests.support.records import a_mail

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.attestations.model import Level
    from tests.support.exporter_world import World

ID, KEY, OLD_KEY = "a" * 64, "1" * 64, "2" * 64
TO = "root@example.com"
MORE = """\
replications:
  photos: {source: 'bkp@live:tank/photos', target: tank/photos, identity_file: /k, known_hosts: /h}
  papers: {source: 'bkp@live:tank/papers', target: tank/papers, identity_file: /k, known_hosts: /h}
audit:
  escrow: [{name: vault.hc}, {name: paper, holds: [key]}, {name: bank, holds: [key]}]
"""


def outside(world: World) -> None:
    """Add pulls that are up to date, a key that lies where it is to, and mails that arrive."""
    _configure(world)
    now = world.now
    for name in ("photos", "papers"):
        _pull(
            world,
            name,
            now - timedelta(hours=8),
            ReplicaDataset(dataset=f"tank/{name}", snapshot="s", snapshot_at=_night(now)),
        )
    _find_key(world, KEY, now - timedelta(days=40))
    for place in ("vault.hc", "paper", "bank"):
        _attest(world, place, "opened" if place == "vault.hc" else "matched")
    _attest(world, "vault.hc", "opened", topic="borg-passphrase")
    world.store.ledger.append_mail(a_mail("confirmed", about="test", to=TO, at=now - timedelta(days=9), run_id=None))
    _watch(world, now - timedelta(minutes=4))


def outside_badly(world: World) -> None:
    """Add a pull cut off behind an open gate, one that never ran, a key that was changed, and mails that wait."""
    _configure(world)
    now = world.now
    began = now - timedelta(days=6)
    _pull(
        world,
        "photos",
        began,
        ReplicaDataset(dataset="tank/photos", snapshot="s", snapshot_at=_night(began)),
        ReplicaDataset(dataset="tank/photos/raw"),
        partial=(Partial(dataset="tank/photos/raw", since=began - timedelta(days=1)),),
        gate="ran",
    )
    _find_key(world, OLD_KEY, now - timedelta(days=40))
    _find_key(world, KEY, now - timedelta(days=2))
    _attest(world, "vault.hc", "opened", key=OLD_KEY)
    _attest(world, "paper", "seen")
    outbox = Outbox(world.store.root, world.root / "lock")
    for hours in (30, 3, 1):
        outbox.put(b"Subject: the nightly run failed\n\nIt did.\n", now - timedelta(hours=hours))
    outbox.give_up(outbox.kept()[0], now)
    _watch(world, now - timedelta(hours=5))


def _configure(world: World) -> None:
    world.mail = f"{{to: {TO}}}"
    world.extra += MORE
    world.config_path.write_text(world.config_text(), encoding="utf-8")


def _night(now: datetime) -> datetime:
    return now - timedelta(hours=9)


def _pull(world: World, name: str, started: datetime, *datasets: ReplicaDataset, **changes: object) -> None:
    facts: dict[str, object] = {"raw": False, "datasets": datasets, "bytes": 734 << 20, "seconds": 61.5}
    facts |= {"source": f"bkp@live:tank/{name}", "target": f"tank/{name}"}
    facts |= {"gate": "refused", "gate_tested_at": started - timedelta(days=3)} | changes
    world.record(make_run("sync", started, target=name, mail="not wanted", result=SyncResult(**facts)))  # type: ignore[arg-type]


def _find_key(world: World, key: str, started: datetime) -> None:
    world.record(make_run("check", started, subject=ID, key_fingerprint=key, mail="not wanted"))


def _attest(world: World, place: str, level: Level, topic: str = "borg-key", key: str = KEY) -> None:
    at = world.now - timedelta(days=20)
    word = Attestation(
        id="a",
        topic=topic,
        subject=place,
        level=level,
        repository_id=ID,
        bound_to=key,
        statement="compared",
        who="A. Operator",
        host="vault",
        at=at,
        valid_until=at + timedelta(days=180),
        previous="0" * 64,
    )
    append_attestations(world.store.root / "attestations.jsonl", [word])


def _watch(world: World, looked_at: datetime) -> None:
    write_record(world.store.root / "watch.json", WatchRecord(host="vault", looked_at=looked_at), durable=False)
