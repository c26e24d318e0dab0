"""Each kind of concern, from a state in which that is wrong to the mail about it, and from its mending to the next."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.concerns import KINDS
from bkp.state.fields import Outcome
from bkp.state.reading import Readable
from bkp.state.watch import Known, read_watch, write_watch
from bkp.survey import survey
from bkp.zfs_health.model import Scan
from runner.watch.decide import BLINDING
from runner.watch.look import look, not_over
from tests.support.exporter_world import BERLIN, NOW
from tests.support.faults import FAULTS, LATELY, Site, dataset, host, night, pool
from tests.support.mailbox import text_of
from tests.support.observed import LEFT, a_disk, a_leaf, a_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.watch.look import Look

# The exporter alone can see the first, as any command ends with it; whether the watch looks it cannot see itself; and
# no state leads to a defect of bkp's.
NOT_SEEN_BY_WATCH = {"config_invalid", "watch_stale", "internal_error"}
INFORMATION = {"records_unconfigured", "job_paused", "archives_incomplete", "escrow_ending"}
AN_HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def site(whole: Site) -> Site:
    whole.forget()
    return whole


def look_at(site: Site) -> Look:
    seen = look(site.config, lambda: NOW, BERLIN)
    assert seen.trouble is None
    return seen


def an_hour_passes(site: Site) -> None:
    """Have the watch believe that all it knows is an hour older: what was observed does not grow old by that."""
    reading = read_watch(site.config)
    assert isinstance(reading, Readable)

    def older(known: Known) -> Known:
        moments = {name: getattr(known, name) for name in ("since", "told_at", "gone_at")}
        earlier = {name: moment - AN_HOUR for name, moment in moments.items() if moment is not None}
        return msgspec.structs.replace(known, seen=tuple(each - AN_HOUR for each in known.seen), **earlier)

    write_watch(site.config, msgspec.structs.replace(reading.value, known=tuple(map(older, reading.value.known))))


def test_every_kind_has_a_state_that_leads_to_it_and_the_state_without_them_is_well(site: Site) -> None:
    assert set(FAULTS) == set(KINDS) - NOT_SEEN_BY_WATCH
    assert look_at(site).concerns == ()
    assert site.msmtp.mails() == []


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_mailed_and_its_end_is_mailed(site: Site, kind: str) -> None:
    FAULTS[kind](site)
    seen = look_at(site)
    (concern, *_) = [each for each in seen.concerns if each.kind == kind]
    if concern.severity == "info":
        assert kind in INFORMATION
        assert concern.sentence not in [each.known.sentence for each in seen.decision.changes]
        return
    if site.msmtp.mails() == []:  # the mail server is down, which is the fault
        site.msmtp.set("take")
        look_at(site)
    told = site.msmtp.mails()[-1]
    for part in ("plain", "html"):
        assert concern.sentence.split()[0] in text_of(told, part)
    assert " ".join(concern.sentence.split()) in " ".join(text_of(told, "plain").split())

    site.mend()
    count = len(site.msmtp.mails())
    assert look_at(site).concerns == ()
    an_hour_passes(site)
    over = look_at(site).decision.changes
    assert {each.what for each in over} == {"gone"}
    assert kind in {each.known.kind for each in over}
    (mail,) = site.msmtp.mails()[count:]
    assert "[bkp] over on vault: " in mail["Subject"]
    assert "it lasted" in text_of(mail, "plain")


RUNNING = Scan(state="in progress", start=LATELY, errors=0, repaired=0)


def nobody_vouches_and_nothing_is_proven(site: Site) -> None:
    site.attest(level="matched", without="bank")


# A fault, and what hides it without mending it.
HIDDEN: dict[str, Callable[[Site], object]] = {
    "scrub_old": pool(scrub=RUNNING),
    "scrub_errors": pool(scrub=RUNNING),
    "scrub_stuck": pool(scrub=RUNNING),
    "pool_status": pool(state="DEGRADED", vdevs=a_tree(LEFT, a_leaf("x", "102", "FAULTED"), state="DEGRADED")),
    "dataset_unmounted": dataset(key_status="unavailable", mounted=False),
    "disk_hot": lambda site: site.observe(lambda seen: seen.disk(a_disk(), asleep=True)),
    "host_undervoltage": host(undervoltage=None),
    "host_usb_resets": host(usb_resets=None),
    "host_no_zfs_module": host(kernels=None),
    "host_schedules": host(schedulers=None),
    "filesystem_full": night({"free_bytes": None}),
    "job_warnings": lambda site: site.record("nightly", Outcome.FAILURE, reason="the passphrase is wrong"),
    "check_failed": lambda site: site.record("check", Outcome.FAILURE, reason="segment 7 is damaged"),
    "archive_small": night(missing=("etc",)),
    "archive_old": night({"newest_archive_at": None}),
    "escrow_unproven": nobody_vouches_and_nothing_is_proven,
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_what_is_hidden_and_not_mended_is_not_over_until_it_is(site: Site, kind: str) -> None:
    FAULTS[kind](site)
    assert kind in {each.known.kind for each in look_at(site).decision.changes}
    site.mend()
    HIDDEN[kind](site)
    look_at(site)
    for _ in range(30):  # hours: a reminder of what nobody sees would be none
        an_hour_passes(site)
    assert kind not in {each.known.kind for each in look_at(site).decision.changes}
    site.mend()
    look_at(site)
    an_hour_passes(site)
    assert kind in {each.known.kind for each in look_at(site).decision.changes if each.is_over}


def test_a_defect_in_what_tells_what_is_hidden_ends_nothing_and_is_told(site: Site) -> None:
    seen = survey(site.config, site.world.store, lambda: NOW, BERLIN, lambda _process: False)
    assert not_over(site.config, seen) == (frozenset(), [])
    broken = dataclasses.replace(seen, observations=None)  # type: ignore[arg-type]  # what no caller may do
    held, (defect,) = not_over(site.config, broken)
    assert not held
    assert (defect.kind, defect.severity) == ("internal_error", "critical")
    assert defect.kind in BLINDING, "while it is there nothing is over"
