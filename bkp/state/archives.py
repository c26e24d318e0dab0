"""Whether an archive is a good one: what the runner prunes by and what the exporter publishes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bkp.state.records import Archive


def flaw(archive: Archive) -> str | None:
    """Return what is wrong with what an archive holds, whether or not the repository lists it; None if nothing is."""
    lost = ", ".join(root.path for root in archive.roots if not root.present)
    if lost:
        return f"lacks {lost}"
    return "holds no file at all" if archive.files == 0 else None


def is_good(archive: Archive) -> bool:
    """Return whether the repository has confirmed an archive in which no source is missing and files are."""
    return archive.confirmed and flaw(archive) is None


def sources_held(archive: Archive) -> frozenset[str]:
    """Return the sources of which a confirmed archive has every path.

    One that was set aside because another source was missing holds these as well as a good one does. Files are only
    counted for the archive as a whole: one without any holds nothing.
    """
    if not archive.confirmed or archive.files == 0:
        return frozenset()
    absent = {root.source for root in archive.roots if not root.present}
    return frozenset(root.source for root in archive.roots) - absent
