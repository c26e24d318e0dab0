"""What earlier archives hold and tonight's will not: no dataset leaves the archives without a word."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bkp.state.archives import doubt
from runner.sources.base import Omitted
from runner.sources.plan import is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bkp.state.records import Run
    from runner.sources.base import PreparedSource


@dataclass(frozen=True)
class Held:
    """The newest good archive that holds a dataset; `lately`: it is the newest good one of all."""

    archive: str
    lately: bool


def held_before(nights: Iterable[Run], repository: str) -> dict[tuple[str, str], Held]:
    """Return what good archives hold, by source and dataset.

    `nights` are the recorded ones, oldest first; those of another repository, by its id, say nothing.
    """
    recorded = (run.archive for run in nights if run.subject == repository)
    good = [archive for archive in recorded if archive is not None and doubt(archive) is None]
    return {
        (root.source, root.dataset): Held(archive.name, archive is good[-1])
        for archive in good
        for root in archive.roots
        if root.dataset is not None and root.present
    }


def with_vanished(prepared: PreparedSource, held: Mapping[tuple[str, str], Held]) -> PreparedSource:
    """Return the source with a warning for each of its datasets that is in an earlier archive and not in tonight's.

    One that is gone is named once, in the first good night without it. One that is left out says so besides. What the
    configuration has taken out of the source is not missed.
    """
    source, roots = prepared.source, {root.dataset: root.problem for root in prepared.roots}
    if source.dataset is None or all(roots.values()):  # a source that is missing as a whole is told as that
        return prepared
    left_out = {each.dataset: each for each in prepared.left_out}
    for (name, dataset), before in held.items():
        intended = not is_within(dataset, (source.dataset,)) or is_within(dataset, source.skip)
        if name != prepared.name or dataset in roots or intended:
            continue
        known = left_out.get(dataset)
        if known is None and before.lately:
            reason = f"it is not there any more; was it destroyed or renamed? {before.archive} holds it"
            left_out[dataset] = Omitted(dataset, reason, warn=True)
        elif known is not None and (known.warn or before.lately):
            reason = f"{known.reason}; it was archived before, at last in {before.archive}"
            left_out[dataset] = replace(known, reason=reason, warn=True)
    return replace(prepared, left_out=tuple(left_out.values()))
