"""The heads of the chains, for a copy outside the server: the newest line of the history, the newest kept report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.errors import StateError
from bkp.state.audits import digest_of
from bkp.state.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Head:
    """The head of one chain; `digest` is None where it is not known, and `text` then says why."""

    what: str
    text: str
    digest: str | None = None


def heads_of(history: Path, report: Path | None) -> tuple[Head, Head]:
    """Return the heads of the history and of the kept reports. Never raises."""
    return _history(history), _report(report)


def _history(path: Path) -> Head:
    what = "History of runs"
    try:
        head = Ledger(path).head()
    except StateError as exc:
        return Head(what, f"not known: {exc.message}")
    if head is None:
        return Head(what, "not known: there is no line in it")
    return Head(what, f"line {head.line} of {path.name}, SHA-256 without its line feed", head.digest)


def _report(path: Path | None) -> Head:
    what = "This report"
    if path is None:
        return Head(what, "not known: it could not be kept")
    digest = digest_of(path)
    if digest is None:
        return Head(what, f"not known: {path.name} cannot be read")
    return Head(what, f"audit/{path.name}, as sha256sum prints it", digest)
