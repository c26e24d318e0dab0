"""Untrusted text, with everything in it visible: the name of a file may hold any character."""

from __future__ import annotations

import re

# What takes no room on the screen and yet counts as printable: joiners, fillers, and what selects a variant of the
# character before it. A row of the latter (U+E0100 and on), as of tags (U+E0000), can hold whole sentences.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
# A whole mail is looked at character by character otherwise, and nearly all of them are of these.
_NOT_ASCII = re.compile("[^ -~]")


def printable(text: str, *, keep: str = "") -> str:
    r"""Return the text with control, direction-changing and invisible characters replaced by their escapes.

    Spaces of every width stay, and so does what `keep` holds. What a file's name has that is not UTF-8 (a surrogate) is
    shown as `\udcff`.
    """
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return _NOT_ASCII.sub(lambda found: _shown(found[0], keep), text)


def _shown(char: str, keep: str) -> str:
    if char in keep or (char.isprintable() and not _INVISIBLE.match(char)) or (char.isspace() and char not in _BREAKS):
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_BREAKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"
