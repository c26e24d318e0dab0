"""To begin is not to mend: while a run of every job is under way, whatever was said before is said still."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.config import load_config
from bkp.state.fields import Outcome
from bkp.state.store import value_of
from bkp.survey import configured
from tests.support.exporter_world import World, archive, every_status, healthy
from tests.support.observed_world import observed_badly
from tests.support.outside_world import outside_badly
from tests.support.records import PROCESS, a_night, a_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bkp.state.results import Result

# Of what never ran nobody but Prometheus says so while it runs for the first time, by a deadline of 0. What is wrong
# with a record itself ends with that record.
MAY_END = {"job_never", "job_unknown", "state_unreadable"}


def made_tonight(world: World) -> Result:
    """Return what a night has recorded that has made its archive and has not confirmed it yet."""
    return a_night(archive(world.now, world.sources, confirmed=False))


@pytest.mark.parametrize("fills", [(every_status,), (observed_badly,), (outside_badly, healthy)])
@pytest.mark.parametrize("has", [lambda _: None, made_tonight], ids=["nothing yet", "an archive"])
def test_a_run_under_way_takes_back_nothing_that_was_said_of_the_one_before(
    tmp_path: Path, fills: tuple[Callable[[World], None], ...], has: Callable[[World], Result | None]
) -> None:
    world = World(tmp_path, ("main", "photos", "mirror") if every_status in fills else ("main",))
    for fill in fills:
        fill(world)
    world.start_process(PROCESS)
    before = said(world)
    assert len(before) > 8
    for job, target in configured(load_config(world.config_path)):
        latest = value_of(world.store.read_job(job, target).latest)
        begun = a_run(
            job,
            world.now - timedelta(minutes=3),
            Outcome.RUNNING,
            target=target,
            run_id=f"now-{job}-{target}",
            result=has(world) if job == "nightly" else None,
            before=latest.end if latest is not None else None,
        )
        world.store.write_running(begun, durable=False)
    assert {each for each in before - said(world) if each[0] not in MAY_END} == set()


def said(world: World) -> set[tuple[str, str, str]]:
    return {(each.kind, each.severity, each.object) for each in world.model().concerns}
