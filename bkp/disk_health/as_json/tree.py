"""Safe looks into decoded JSON: what is not there, or not of the type that was asked for, is None."""

from __future__ import annotations

from typing import Any

from bkp.disk_health.words import percent_ratio

Tree = dict[str, Any]


def at(tree: object, *path: str) -> object:
    """Return what lies under a path of keys; None where it leads nowhere."""
    for key in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(key)
    return tree


def whole(tree: object, *path: str) -> int | None:
    """Return a whole number of at least 0."""
    found = signed(tree, *path)
    return found if found is not None and found >= 0 else None


def signed(tree: object, *path: str) -> int | None:
    """Return a whole number of either sign. A truth value is none."""
    found = at(tree, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def text(tree: object, *path: str) -> str | None:
    """Return a text that is not blank, without the blanks around it."""
    found = at(tree, *path)
    return found.strip() or None if isinstance(found, str) else None


def flag(tree: object, *path: str) -> bool | None:
    """Return a truth value."""
    found = at(tree, *path)
    return found if isinstance(found, bool) else None


def rows(tree: object, *path: str) -> list[object] | None:
    """Return a list."""
    found = at(tree, *path)
    return found if isinstance(found, list) else None


def percent(tree: object, *path: str) -> float | None:
    """Return a percentage as a ratio."""
    return percent_ratio(whole(tree, *path))
