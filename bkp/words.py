"""Whether a text that somebody must stand behind says anything: blanks, marks and invisible letters are no words."""

from __future__ import annotations

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters for Unicode, and nothing on the screen


def words(text: str) -> int:
    """Return how many of the text's words have a letter or digit that can be seen."""
    return sum(any(sign.isalnum() and sign not in _FILLERS for sign in word) for word in text.split())
