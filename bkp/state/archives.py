"""Whether an archive is a good one, what it lacks, and which earlier ones it is compared with. Pure.

The runner prunes by this, the exporter publishes it and the audit judges it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.archive_names import UNPROVEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bkp.state.results import Archive

COMPARED = 30  # good nights that a new one is compared with
REMEMBERED = 400  # good nights that are looked at: suspicious ones among them must not push the usual ones out


def flaw(archive: Archive) -> str | None:
    """Return what is wrong with what an archive holds, whether or not the repository lists it; None if nothing is."""
    lost = ", ".join(root.path for root in archive.roots if not root.present)
    if lost:
        return f"lacks {lost}"
    return "holds no file at all" if archive.files == 0 else None


def is_whole(archive: Archive) -> bool:
    """Return whether the repository has confirmed an archive in which no source is missing and files are."""
    return archive.confirmed and flaw(archive) is None


def doubt(archive: Archive) -> str | None:
    """Return why an archive does not count as a good one, or does not yet; None if it does."""
    suspicion = None if archive.size_accepted else archive.size_suspicion
    if (found := flaw(archive) or suspicion) is not None:
        return found
    if not archive.confirmed:
        return "the repository has not confirmed it"
    return "it was not proven to its end" if archive.name.startswith(UNPROVEN) else None


def sources_held(archive: Archive) -> frozenset[str]:
    """Return the sources of which a confirmed archive has every path.

    One that was set aside because another source was missing holds these as well as a good one does. Files are only
    counted for the archive as a whole: one without any holds nothing.
    """
    if not archive.confirmed or archive.files == 0:
        return frozenset()
    absent = {root.source for root in archive.roots if not root.present}
    return frozenset(root.source for root in archive.roots) - absent


def missing_sources(archive: Archive, configured: Iterable[str]) -> tuple[str, ...]:
    """Return the sources of which the archive lacks a path, and the configured ones that it does not know."""
    present = {root.source for root in archive.roots if root.present}
    absent = {root.source for root in archive.roots if not root.present}
    return tuple(sorted(absent | (set(configured) - present)))


def usual(archives: Sequence[Archive]) -> list[Archive]:
    """Return the archives whose sizes are usual, of whole ones in their order (oldest first): the last `COMPARED`.

    An archive that was suspiciously small never becomes usual. One whose size a person accepted begins the comparison
    anew.
    """
    return [each for each in since_accepted(archives) if each.size_suspicion is None][-COMPARED:]


def since_accepted(archives: Sequence[Archive]) -> Sequence[Archive]:
    """Return the archives since the last one whose size was accepted by hand, that one included."""
    accepted = [index for index, archive in enumerate(archives) if archive.size_accepted]
    return list(archives)[accepted[-1] :] if accepted else archives
