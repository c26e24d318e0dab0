"""Concerns about the probe itself: observations that are old, damaged, from the future, or were never made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.inventory import EVERY, LOOKS_MISSED, is_ahead, is_old, parts_of
from bkp.quantities import format_duration
from bkp.state.reading import Missing, Unreadable
from bkp.words import some

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bkp.config.model import Config
    from bkp.state.observed import Observed
    from bkp.state.reading import Reading
    from bkp.survey import Survey

_REMEDY = "`bkp-run probe` looks now; `systemctl status bkp-probe.timer` says whether it is started by itself"


def concerns(config: Config, survey: Survey) -> Iterator[Concern]:
    """Yield them."""
    found = survey.observations
    watched = bool(config.pools or config.disks)
    kinds: dict[str, tuple[Reading[Observed[Any]], bool]] = {
        "pools": (found.pools, bool(config.pools)),
        "datasets": (found.datasets, bool(config.pools)),
        "disks": (found.disks, bool(config.disks)),
        "host": (found.host, watched),
    }
    for kind, (reading, wanted) in kinds.items():
        name = f"observation {kind}"
        if isinstance(reading, Missing):
            if wanted:
                yield Concern("probe_stale", "warning", name, f"{name}: the probe has never looked", _REMEDY)
        elif isinstance(reading, Unreadable):
            yield Concern(
                "state_unreadable",
                "warning",
                f"observed/{reading.path.name}",
                f"the state file observed/{reading.path.name} {reading.reason}",
                "`bkp-run probe` writes it anew; look for a disk that fails",
            )
        elif wanted or parts_of(reading):
            yield from _ages(survey, kind, name, reading)


def _ages(survey: Survey, kind: str, name: str, reading: Reading[Observed[Any]]) -> Iterator[Concern]:
    parts = parts_of(reading)
    if not parts and kind == "host":  # the other kinds may be empty: what is configured and not in them is missing
        yield Concern("probe_stale", "warning", name, f"{name}: the probe saw no host", _REMEDY)
    old = {part: each.looked_at for part, each in parts.items() if is_old(each, kind, survey.now)}
    ahead = [part for part, each in parts.items() if is_ahead(each, survey.now)]
    if old:
        which = "" if len(old) == len(parts) else f" at {some(list(old))}"
        span = format_duration(LOOKS_MISSED * EVERY[kind])
        why = f"the probe has not looked{which} for more than {span}: what is shown is old"
        yield Concern("probe_stale", "warning", name, f"{name}: {why}", _REMEDY, min(old.values()))
    if ahead:
        why = f"the look at {some(ahead)} lies in the future: how old it is cannot be told"
        yield Concern("clock_ahead", "warning", name, f"{name}: {why}", "set the clock, then run `bkp-run probe`")
