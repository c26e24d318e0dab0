"""What each key of the configuration means: the comments of the shipped example, which people read first anyway.

The JSON Schema for editors and the reference page take their prose from there, so that a key is explained once.
"""

from __future__ import annotations

import re
from pathlib import Path

EXAMPLE = Path(__file__).with_name("example.yml")

KeyPath = tuple[str, ...]
ANY = "*"  # stands in a path for a name that the person chose, or for the place in a list

_KEY = re.compile(r"(?P<indent> *)(?P<off>#?)(?P<item>- )?(?P<key>[a-z0-9_.-]+):(?: |$)")
_PROSE = re.compile(r" *# ?(?P<text>.*)")
NAMED = {("repositories",), ("sources",), ("replications",), ("pools",), ("disks",)}


def example_text() -> str:
    """Return the shipped example, as `bkp-run config example` prints it."""
    return EXAMPLE.read_text(encoding="utf-8")


def descriptions(text: str | None = None) -> dict[KeyPath, str]:
    """Return the prose that stands right above each key of the example, set or switched off (`#key: value`).

    Where a key stands several times (the items of a list), the first one's counts; a key without prose has "".
    """
    found: dict[KeyPath, str] = {}
    prose: list[str] = []
    above: list[tuple[int, str]] = []  # column and name of each key that the current line lies in
    for line in (example_text() if text is None else text).splitlines():
        if match := _KEY.match(line):
            column = len(match["indent"]) + len(match["item"] or "")
            while above and above[-1][0] >= column:
                above.pop()
            parent = tuple(name for _, name in above)
            if match["item"] and parent[-1:] != (ANY,):
                above.append((column - 1, ANY))
                parent = (*parent, ANY)
            name = ANY if parent in NAMED else match["key"]
            above.append((column, name))
            found.setdefault((*parent, name), " ".join(prose))
            prose = []
        elif (match := _PROSE.match(line)) and match["text"]:
            prose.append(match["text"].strip())
        else:
            prose = []
    return found
