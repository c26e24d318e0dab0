"""What earlier archives hold and tonight's will not: no dataset and no disk leaves the archives without a word."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bkp.config.places import archived
from bkp.state.archives import doubt
from runner.sources.base import Omitted
from runner.sources.plan import is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bkp.state.records import Run
    from bkp.state.results import Archive
    from runner.sources.base import PreparedSource


@dataclass(frozen=True)
class Held:
    """The newest good archive that holds a dataset, and that dataset's guid; `lately`: it is the newest of all."""

    archive: str
    lately: bool
    guid: str | None = None


def good_before(nights: Iterable[Run], repository: str) -> list[Archive]:
    """Return the good archives of the recorded nights, oldest first; those of another repository, by its id, are none.

    A night that failed after it had made one counts as well.
    """
    recorded = (run.archive for run in nights if run.subject == repository)
    return [archive for archive in recorded if archive is not None and doubt(archive) is None]


def held_in(good: Sequence[Archive]) -> dict[tuple[str, str], Held]:
    """Return what these archives, oldest first, hold, by source and dataset."""
    return {
        (root.source, root.dataset): Held(archive.name, archive is good[-1], root.guid)
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


def made_anew(prepared: PreparedSource, held: Mapping[tuple[str, str], Held]) -> list[str]:
    """Return what to say of datasets that have the name of an archived one and are another one: said once."""
    said = []
    for root in prepared.roots:
        before = held.get((prepared.name, root.dataset or ""))
        if before is not None and root.guid is not None and before.guid not in {None, root.guid}:
            said.append(
                f"{root.dataset} is another dataset than the one in {before.archive}: was it destroyed and made, or "
                "received, anew? Earlier archives hold what it held"
            )
    return said


def unmounted_since(prepared: Iterable[PreparedSource], good: Sequence[Archive]) -> list[tuple[str, str]]:
    """Return what was mounted in the newest good archive and is not tonight: each place with what to say, once.

    What the configuration has taken out of a source since is not missed.
    """
    if not good:
        return []
    archive = good[-1].name
    before = {(root.source, root.path): root.mounts for root in good[-1].roots}
    said = []
    pairs = ((each, root) for each in prepared for root in each.roots if root.problem is None)
    for own, root in pairs:
        for place in before.get((own.name, root.path), ()):
            below = not own.source.one_file_system and archived(place, root.path, own.source.exclude)
            if place not in root.mounts and (below or place == root.path):
                why = f"{place} was a file system of its own when {archive} was made, and is none now: is it mounted?"
                said.append((place, f"{why} The archive lacks what it holds; earlier ones have that"))
    return said
