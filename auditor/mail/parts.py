"""What a mail shows, chosen and bounded: the findings in full as far as there is room, the rest by name. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from auditor.render.first_screen import FirstScreen, first_screen, needs_somebody
from auditor.render.words import said
from bkp.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.mail.heads import Head
    from auditor.report import Report, RuleResult

_NAMED = 40  # of the rest, rules by their ids; beyond them only a count


@dataclass(frozen=True)
class Parts:
    """A report as a mail shows it: `findings` in full, each text of at most `longest` characters."""

    report: Report
    heads: Sequence[Head]
    findings: tuple[RuleResult, ...]
    rest: tuple[RuleResult, ...]
    longest: int
    screen: FirstScreen = field(repr=False)

    @cached_property
    def counts(self) -> str:
        """Return how many rules got each verdict; what none got is not named."""
        found = ", ".join(f"{count} {badge.word.lower()}" for badge, count in self.screen.counts)
        return f"{self.report.totals.rules} rules: {found}".replace("n/a", "not applicable")

    @cached_property
    def rest_named(self) -> str:
        """Return the rules that are not shown in full, by id."""
        named = ", ".join(f"{result.id} ({result.severity})" for result in self.rest[:_NAMED])
        return named + (f" and {len(self.rest) - _NAMED} more" if len(self.rest) > _NAMED else "")

    @cached_property
    def waived(self) -> str:
        """Return the rules that are waived, with who and until when; empty where there are none."""
        waived = [result for result in self.report.results if result.waived]
        lines = [
            f"{result.id} {said(result)} ({waiver.approved_by}, through {waiver.expires})"
            for result in waived[:10]
            for waiver in result.waivers[:1]
        ]
        return "; ".join(lines) + (f"; and {len(waived) - 10} more" if len(waived) > 10 else "")

    def fit(self, text: str) -> str:
        """Return untrusted text printable, on one line, and not too long."""
        line = printable(" ".join(text.split()))
        return line if len(line) <= self.longest else f"{line[: self.longest - 1]}…"

    def since_when(self, result: RuleResult) -> str:
        """Return since when a rule is not met, as the end of a phrase; empty where that is new or not known."""
        since = self.report.since
        if since is None:
            return ""
        if result.id in since.still:
            return f", not met since {since.still[result.id]:%Y-%m-%d}"
        return ", new" if result.id in since.new else ""

    def sentence(self, text: str) -> str:
        """Return text as a sentence: a capital at its beginning and a full stop at its end."""
        return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def parts_of(report: Report, heads: Sequence[Head], *, most: int, longest: int) -> Parts:
    """Return what a mail shows with at most so many findings in full, and so many characters a text."""
    needing = tuple(needs_somebody(report))
    return Parts(report, heads, needing[:most], needing[most:], longest, first_screen(report))
