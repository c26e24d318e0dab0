"""What changed since the last kept report: new, fixed, not met still. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.operators.values import show_time
from auditor.report import Since
from bkp.clock import CLOCK_TOLERANCE
from bkp.printable import printable
from bkp.state.reading import Missing, Readable
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from auditor.report import Report
    from bkp.state.audits import Kept, KeptReport
    from bkp.state.reading import Reading

_FIRST = (
    "This is the first report that is kept, so nothing is compared. If you have had a report of this server before,"
    " its state directory was lost, or its audit/ was."
)
_NO_HISTORY = " There is no history of runs either: this server is new, or its state was lost."


def compare(
    report: Report, before: Reading[Kept[KeptReport]], *, chain: str | None, history_lines: int | None
) -> Since:
    """Return what changed since the report `before`; what cannot be compared is said, and is no "no change".

    `chain` is what is wrong with the chain of kept reports, `history_lines` how long the history of runs is, if known.
    """
    if isinstance(before, Missing):
        return Since(note=_FIRST + ("" if history_lines else _NO_HISTORY))
    if not isinstance(before, Readable):
        return Since(note=f"Nothing can be compared: the report before this one {printable(before.reason)}.")
    kept = before.value
    then = {each.id: each for each in kept.report.results}
    unmet = [result.id for result in report.results if result.verdict.needs_somebody and not result.waived]
    met = {result.id for result in report.results if result.verdict is Verdict.PASS}
    was = [each.id for each in kept.report.results if each.unmet]
    return Since(
        at=kept.report.judged_at,
        note=_note(report, kept, chain),
        new=tuple(rule for rule in unmet if rule not in then or not then[rule].unmet),
        fixed=tuple(rule for rule in was if rule in met),
        still={rule: kept.unmet_since.get(rule, kept.report.judged_at) for rule in unmet if rule in was},
        dropped=tuple(rule for rule in was if rule not in met and rule not in unmet),
    )


def _note(report: Report, kept: Kept[KeptReport], chain: str | None) -> str | None:
    notes = []
    if kept.report.judged_at > report.judged_at + CLOCK_TOLERANCE:
        notes.append(f"The report before this one is dated in the future, {show_time(kept.report.judged_at)}.")
    if kept.report.host != report.host:
        notes.append(f"The report before this one is of the host {printable(kept.report.host)}.")
    if chain is not None:
        notes.append(f"The chain of kept reports is broken: {printable(chain)}.")
    return " ".join(notes) or None
