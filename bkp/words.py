"""Words of people, and for people: whether a text says anything, and a long list in a few."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters for Unicode, and nothing on the screen
_MOST_NAMED = 3


def words(text: str) -> int:
    """Return how many of the text's words have a letter or digit that can be seen: blanks and marks are no words."""
    return sum(any(sign.isalnum() and sign not in _FILLERS for sign in word) for word in text.split())


def some(names: Sequence[str]) -> str:
    """Return the first names of a list that may be long, and how many more there are."""
    more = f", and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
