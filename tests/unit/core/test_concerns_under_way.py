"""To begin is not to mend: while a run of every job is under way, whatever was said before is said still."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from bkp.state.store import value_of
from bkp.survey import configured
from tests.support.exporter_world import archive
from tests.support.faults import FAULTS, Site
from tests.support.records import PROCESS, a_night, a_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.state.results import Result

# Of what never ran nobody but Prometheus says so while it runs for the first time, by a deadline of 0. What is wrong
# with a record itself ends with that record.
MAY_END = {"job_never", "state_missing", "state_unreadable"}


def made_tonight(site: Site) -> Result:
    """Return what a night has recorded that has made its archive and has not confirmed it yet."""
    return a_night(archive(site.world.now, site.world.sources, confirmed=False))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    site.world.start_process(PROCESS)
    return site


@pytest.mark.parametrize("has", [lambda _: None, made_tonight], ids=["nothing yet", "an archive"])
@pytest.mark.parametrize("kind", sorted(set(FAULTS) - MAY_END))
def test_a_run_under_way_takes_back_nothing_that_was_said_of_the_one_before(
    whole: Site, kind: str, has: Callable[[Site], Result | None]
) -> None:
    whole.forget()
    FAULTS[kind](whole)
    before = said(whole)
    assert kind in {each[0] for each in before}
    store, now = whole.world.store, whole.world.now
    for job, target in configured(whole.config):
        latest = value_of(store.read_job(job, target).latest)
        begun = a_run(
            job,
            now - timedelta(minutes=3),
            Outcome.RUNNING,
            target=target,
            run_id=f"now-{job}-{target}",
            result=has(whole) if job == "nightly" else None,
            before=latest.end if latest is not None else None,
        )
        store.write_running(begun, durable=False)
    assert {each for each in before - said(whole) if each[0] not in MAY_END} == set()


def said(site: Site) -> set[tuple[str, str, str]]:
    return {(each.kind, each.severity, each.object) for each in site.world.model().concerns}
