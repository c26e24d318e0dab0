"""The report as one HTML file that also travels by mail: no script, nothing external, the important first.

Styles stand inline, because mail programs drop style blocks; one small block adds dark mode, narrow screens and print.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.operators.values import show_time
from auditor.render.first_screen import first_screen
from auditor.render.palette import DARK, LIGHT, RULE_DARK, RULE_LIGHT
from auditor.render.words import BADGES, CHAIN_NOTE, SUPPORT_NOTE, Badge, floor_line, headline, said
from bkp.printable import printable
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Template

    from auditor.report import Report, RuleResult

TEMPLATES = Path(__file__).parent / "templates"
LIMIT_BYTES = 88 * 1024


@dataclass(frozen=True)
class Detail:
    """How much the page says: subjects a rule, characters a text, the reasons of rules, and rules a section."""

    subjects: int
    text: int
    why: bool
    rules: int


DETAILS = (Detail(6, 600, True, 400), Detail(3, 300, True, 400), Detail(2, 160, False, 150), Detail(1, 100, False, 40))


@dataclass(frozen=True)
class Tile:
    """One number of the summary, and how many of them are waived."""

    badge: Badge
    count: int
    waived: int


def render_html(report: Report) -> str:
    """Return the report as a whole HTML document.

    Mail programs clip a page at about 100 KB: a report that would be larger says less of each rule, and says so.
    """
    page = ""
    for detail in DETAILS:
        page = _render(report, detail)
        if len(page.encode()) <= LIMIT_BYTES:
            break
    return page


@cache
def _template() -> Template:
    """Return the template, compiled once: a report that is too large fills it again, with less `detail`."""
    import jinja2
    import markupsafe

    @jinja2.pass_context
    def finalize(context: Mapping[str, Any], value: Any) -> Any:
        """Make untrusted text printable and bounded; markup that the template built itself passes."""
        return _bounded(value, context["detail"].text) if type(value) is str else value

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
    )
    environment.filters["clock"] = show_time
    # Text of the first screen is not shortened where the rest is.
    environment.filters["in_full"] = lambda value: markupsafe.escape(_bounded(value, DETAILS[0].text))
    return environment.get_template("report.html.j2")


def _render(report: Report, detail: Detail) -> str:
    verdicts = {result.id: BADGES[result.verdict] for result in report.results}
    return _template().render(
        report=report,
        heading=headline(report),
        screen=first_screen(report),
        said=said,
        tiles=_tiles(report),
        **_parts(report.results),
        grouped=_grouped,
        idle_waivers=[waiver for waiver in report.waivers if waiver.state != "active"],
        badges=BADGES,
        verdicts=verdicts,
        floor=floor_line(report),
        chain_note=CHAIN_NOTE,
        support_note=SUPPORT_NOTE,
        light=LIGHT,
        dark=DARK,
        rule_light=RULE_LIGHT,
        rule_dark=RULE_DARK,
        detail=detail,
        shortened=detail is not DETAILS[0],
        uncertain=_uncertain(report),
        titles=_titles(report),
        print_footer=re.sub(
            r"[^A-Za-z0-9 .:-]", "", f"{report.host} {show_time(report.judged_at)} rules {report.rules_digest[:12]}"
        ),
    )


def _bounded(value: str, most: int) -> str:
    text = printable(" ".join(value.split()))
    return text if len(text) <= most else text[: most - 1] + "…"


def _parts(results: Sequence[RuleResult]) -> dict[str, list[RuleResult]]:
    """Sort the results into the report's sections; each result is in exactly one."""
    parts: dict[str, list[RuleResult]] = {"attention": [], "waived": [], "passed": [], "inapplicable": []}
    for result in results:
        if result.verdict is Verdict.PASS:
            parts["passed"].append(result)
        elif result.verdict is Verdict.NOT_APPLICABLE:
            parts["inapplicable"].append(result)
        else:
            parts["waived" if result.waived else "attention"].append(result)
    return parts


def _tiles(report: Report) -> list[Tile]:
    totals = report.totals
    counts = {
        Verdict.FAIL: totals.failed,
        Verdict.ERROR: totals.error,
        Verdict.UNATTESTED: totals.unattested,
        Verdict.PASS: totals.passed,
        Verdict.NOT_APPLICABLE: totals.not_applicable,
    }
    waived = Counter(result.verdict for result in report.results if result.waived)
    return [Tile(BADGES[verdict], count, waived[verdict]) for verdict, count in counts.items()]


def _grouped(results: Sequence[RuleResult]) -> list[list[RuleResult]]:
    """Put rules together that one remedy settles: what is unattested often asks for one thing in several rules."""
    groups: dict[tuple[str, ...], list[RuleResult]] = {}
    for result in results:
        alone = result.verdict is not Verdict.UNATTESTED or result.waivers
        key = (result.id,) if alone else ("", result.remediation, *result.commands)
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def _uncertain(report: Report) -> set[tuple[str, str, str]]:
    return {(ref.framework, ref.clause, result.id) for result in report.results for ref in result.refs if ref.uncertain}


def _titles(report: Report) -> dict[tuple[str, str], str]:
    return {(ref.framework, ref.clause): ref.title for result in report.results for ref in result.refs if ref.title}
