"""Each kind of concern, from a state in which that is wrong to the mail about it, and from its mending to the next."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.concerns import KINDS
from bkp.state.reading import Readable
from bkp.state.watch import Known, read_watch, write_watch
from runner.watch.look import look
from tests.support.exporter_world import BERLIN, NOW
from tests.support.faults import FAULTS, Site
from tests.support.mailbox import text_of

if TYPE_CHECKING:
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
