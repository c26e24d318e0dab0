"""The report for a terminal or a plain-text mail. It carries every failure; control characters never get through."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from auditor.operators.values import show_time
from auditor.render.words import BADGES, floor_line, headline, said, totals_line, waiver_line
from bkp.printable import printable
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.report import Report, RuleResult

Paint = Callable[[str, str], str]

_QUIET = frozenset({Verdict.PASS, Verdict.NOT_APPLICABLE})


def plain(text: str, _key: str) -> str:
    """Return text as it is: no colours."""
    return text


def render_text(report: Report, *, width: int = 100, paint: Paint = plain, verbose: bool = False) -> str:
    """Return the report as text. `verbose` shows the evidence of rules that pass, too."""
    width = max(40, min(width, 120))
    lines = [
        f"Audit of {printable(report.host)}",
        f"judged {show_time(report.judged_at)}, on evidence of {show_time(report.collected_at)}",
        "",
    ]
    for result in report.results:
        lines += _result(result, width, paint, verbose)
    lines += ["", totals_line(report), floor_line(report)]
    unused = [waiver for waiver in report.waivers if waiver.state == "unused"]
    if unused:
        lines.append("Waivers that nothing needs: " + ", ".join(waiver.rule for waiver in unused))
    if report.left_out:
        lines += _indented("Shipped rules that are left out: " + ", ".join(report.left_out), width)
    status = headline(report)
    concluded = textwrap.wrap(f"{status.word.upper()}: {report.conclusion}", width, subsequent_indent="  ")
    lines += [paint(line, status.key) for line in concluded]
    return "\n".join(lines) + "\n"


def _result(result: RuleResult, width: int, paint: Paint, verbose: bool) -> Iterator[str]:
    status = BADGES[result.verdict]  # a waiver is shown beside it, never in its place
    head = f"{status.sign} {status.word:<10}  {result.id:<8} {result.severity:<8}  "
    title = printable(said(result))
    waived = " (waived)" if result.waived else ""
    first, *more = textwrap.wrap(title + waived, max(16, width - len(head))) or [""]
    yield paint(head, status.key) + first
    for line in more:
        yield " " * len(head) + line
    if not verbose and result.verdict is Verdict.PASS and not result.waivers:
        return
    yield from _indented(result.reason, width)
    if result.verdict not in _QUIET:
        yield from _indented(f"remedy: {result.remediation}", width)
        if result.verdict is Verdict.UNATTESTED and result.question:
            yield from _indented(f"to attest: {result.question}", width)
    if (waiver := waiver_line(result)) is not None:
        yield from _indented(waiver, width)
    if verbose:
        for subject in result.subjects:
            for observation in subject.observations:
                yield from _indented(
                    f"evidence: {observation.fact}: {observation.sentence} [{observation.source or 'no source'}]", width
                )


def _indented(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text.replace("\n", " ")),
        width,
        initial_indent="    ",
        subsequent_indent="      ",
        break_on_hyphens=False,
    )
