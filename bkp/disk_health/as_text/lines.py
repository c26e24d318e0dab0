"""smartctl's text, taken apart: its `name: value` lines by name, and where its lists stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bkp.disk_health.words import bounded_lines, leading_number, percent_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELD = re.compile(r"\s*([^:\t]{1,60}?)\s*:\s*(.*)")
_PERCENT = re.compile(r"\d{1,3}%")


class Text(NamedTuple):
    """`lines` without blanks at their ends; `fields` by lower-case name with single blanks, all values in order."""

    lines: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]

    def first(self, *names: str) -> str | None:
        """Return the value of the first of these names that has one, and not a blank or a dash."""
        for name in names:
            for value in self.fields.get(name, ()):
                if value not in {"", "-"}:
                    return value
        return None

    def percent(self, name: str) -> float | None:
        """Return the ratio that a value tells as `12%`."""
        said = self.first(name) or ""
        return percent_ratio(leading_number(said)) if _PERCENT.fullmatch(said) else None

    def matches(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Give the lines that match a pattern as a whole."""
        for line in self.lines:
            if match := pattern.fullmatch(line):
                yield match

    def section(self, header: re.Pattern[str]) -> tuple[tuple[str, ...], bool] | None:
        """Return the lines from below a header to the next empty one, and whether there was one; None without a header.

        Without the empty line at its end, the text may have been cut there.
        """
        for number, line in enumerate(self.lines):
            if header.match(line):
                rest = self.lines[number + 1 :]
                end = next((at for at, other in enumerate(rest) if not other.strip()), None)
                return rest[:end], end is not None
        return None

    def entries(self, header: re.Pattern[str], entry: re.Pattern[str], none: re.Pattern[str]) -> tuple[str, ...] | None:
        """Return the lines of a log that are entries; `none` is what smartctl prints of a log that has none.

        None where the text tells neither: below a header stands at least one entry, or the text was cut there.
        """
        if (found := self.section(header)) is not None:
            return tuple(line for line in found[0] if entry.fullmatch(line)) or None
        return () if any(self.matches(none)) else None


def take_apart(text: str) -> Text:
    """Return a text's lines and fields."""
    # the blank after the last line's end is no line: a list that stops there may have been cut
    lines = bounded_lines(text.removesuffix("\n"))
    fields: dict[str, list[str]] = {}
    for line in lines:
        if match := _FIELD.fullmatch(line):
            fields.setdefault(" ".join(match[1].lower().split()), []).append(match[2])
    return Text(lines, {name: tuple(values) for name, values in fields.items()})
