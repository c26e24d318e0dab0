"""What is not said now and yet not over: what a look could not see, or what something graver stands for. Pure.

`bkp.concerns` says what is wrong. That it says a thing no longer can mean that it is mended, or that nobody can tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.holdings import holding_of
from bkp.inventory import parts_of
from bkp.jobs import JOBS, NIGHTLY
from bkp.observations import HOST_PART
from bkp.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.config.model import Config
    from bkp.observations import Observations
    from bkp.survey import Standing, Survey

_OF_ARCHIVES = ("archive_flawed", "archive_unconfirmed", "archive_small")
_LATE = frozenset({Status.LATE, Status.NEVER, Status.UNKNOWN})
_UNTOLD = {
    "undervoltage": "host_undervoltage",
    "usb_resets": "host_usb_resets",
    "kernels": "host_no_zfs_module",
    "schedulers": "host_schedules",
}


def undecided(config: Config, seen: Survey) -> Iterator[str]:
    """Yield the keys (`runner.watch.decide.key_of`) of what cannot be over by this look."""
    for standing in seen.standings:
        yield from _of_job(standing)
    for name in config.repositories:
        holding = holding_of(config, seen, name)
        facts = holding.facts
        if facts is None or facts.free_bytes is None or not facts.size_bytes:
            yield f"filesystem_full repository {name}"
        if facts is None or facts.newest_archive_at is None:
            yield f"archive_old repository {name}"
        if holding.judged is None:  # no night is known that made an archive
            yield from (f"{kind} repository {name}" for kind in _OF_ARCHIVES)
    yield from _of_observations(seen.observations)


def _of_job(standing: Standing) -> Iterator[str]:
    name, repository = f"{standing.job} on {standing.target}", f"repository {standing.target}"
    is_trouble = standing.status.needs_attention
    if standing.is_excused:  # it is late, and paused
        yield f"job {name}"
    if standing.running_since is not None or is_trouble:  # the run before warned, and none has ended well since
        yield f"job_warnings {name}"
    if JOBS[standing.job].verdict and is_trouble:  # its own verdict, or the lack of one, stands for it
        yield f"check_failed {repository}"
    if standing.job == NIGHTLY.name and standing.status.status in _LATE:  # archive or source may have been old before
        yield from (f"{kind} {repository}" for kind in ("archive_old", "source_stale"))


def _of_observations(seen: Observations) -> Iterator[str]:
    for name, pool in parts_of(seen.pools).items():
        scrub = pool.value.health.scrub.state if pool.value is not None else None
        if scrub in {"in progress", "paused"}:  # only a scrub that finished mends what the one before left
            yield from (f"{kind} pool {name}" for kind in ("scrub_old", "scrub_errors", "scrub_stuck"))
    for name, disk in parts_of(seen.disks).items():
        if disk.value is not None and disk.value.asleep:
            yield f"disk_hot disk {name}"
    host = parts_of(seen.host).get(HOST_PART)
    if host is not None and host.value is not None:
        yield from (f"{kind} the host" for field, kind in _UNTOLD.items() if getattr(host.value, field) is None)
