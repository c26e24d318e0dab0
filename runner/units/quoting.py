"""Words of a unit file (systemd.syntax(7), systemd.unit(5), systemd.service(5)), and of a tmpfiles.d(5) file."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[\w@%+=:,./-]+")


def word(text: str) -> str:
    """Return one word of a list setting or a tmpfiles.d line: specifiers doubled, quoted where it has to be."""
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command(*words: str) -> str:
    """Return the words of a command line; `$` would be a variable of the unit."""
    return " ".join(word(each).replace("$", "$$") for each in words)


def plain(text: str) -> str:
    """Return a setting that systemd does not split, such as a description."""
    return text.replace("%", "%%").replace("\\", "\\\\")


def glob(path: str) -> str:
    """Return the path as a pattern that matches nothing else (tmpfiles.d(5), types z and Z)."""
    return word(re.sub(r"([*?\[])", r"[\1]", path))
