"""The status page: what the model says, in the words and the local time of the people who look after the backups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.concerns.model import KINDS, need_attention
from bkp.status import Status
from exporter.page.audit import audit_row
from exporter.page.disks import DiskCard, disk_card
from exporter.page.jobs import JobCard, job_card, sentence
from exporter.page.parts import Moment, Row, anchor_of, moment_of
from exporter.page.pools import PoolCard, pool_card
from exporter.page.replications import ReplicationCard, replication_card
from exporter.page.repositories import RepositoryCard, is_of_repository, repository_card

if TYPE_CHECKING:
    from jinja2 import Template

    from bkp.concerns import Concern
    from exporter.model import Model

TEMPLATES = Path(__file__).parents[1] / "templates"

_UNKNOWN = frozenset(kind for kind in KINDS if kind.endswith("_unknown")) | {
    "state_missing",
    "state_unreadable",
    "probe_stale",
}
_TONE = {"critical": "failed", "warning": "late", "info": "ok"}


@dataclass(frozen=True)
class ConcernLine:
    """One concern; `anchor` is the card that it is about, if there is one.

    Every second piece of `remedy` is something to type.
    """

    tone: str
    word: str
    text: str
    remedy: tuple[str, ...]
    since: Moment | None
    anchor: str | None


@dataclass(frozen=True)
class Page:
    """The whole page."""

    host: str
    now: Moment
    tone: str
    headline: str
    concerns: tuple[ConcernLine, ...]
    others: tuple[JobCard, ...]
    repositories: tuple[RepositoryCard, ...]
    replications: tuple[ReplicationCard, ...]
    pools: tuple[PoolCard, ...]
    disks: tuple[DiskCard, ...]
    notes: tuple[Row, ...]


def render_page(model: Model) -> str:
    """Return the page as HTML that UTF-8 can say; everything that comes from a file is escaped."""
    css = (TEMPLATES / "status.css").read_text(encoding="utf-8")
    html = _template().render(page=build_page(model), css=css)
    return html.encode("utf-8", "backslashreplace").decode("utf-8")  # a folder's name may hold any bytes


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("status.html.j2")


def build_page(model: Model) -> Page:
    """Return what the page says."""
    survey = model.survey
    cards = {(job.job, job.target): job_card(survey, job) for job in survey.standings}
    return Page(
        host=model.host,
        now=moment_of(survey, survey.now),
        tone=_tone(model),
        headline=_headline(model),
        concerns=tuple(_concern_line(model, concern) for concern in model.concerns),
        others=tuple(card for card in cards.values() if not is_of_repository(card)),
        repositories=tuple(repository_card(model, holding, cards.values()) for holding in model.holdings),
        replications=tuple(
            replication_card(model, name, settings) for name, settings in model.config.config.replications.items()
        ),
        pools=tuple(pool_card(model, entry) for entry in model.inventory.pools),
        disks=tuple(disk_card(model, entry) for entry in model.inventory.disks),
        notes=tuple(_notes(model)),
    )


def _tone(model: Model) -> str:
    if not model.survey.standings:
        return "unknown"
    if not model.concerns:
        return "ok"
    severity = model.concerns[0].severity
    unknown = all(each.kind in _UNKNOWN for each in model.concerns if each.severity == severity)
    return "unknown" if unknown else _TONE[severity]


def _headline(model: Model) -> str:
    count = len(need_attention(model.concerns))
    if count:
        return f"{count} thing{'s need' if count > 1 else ' needs'} attention"
    running = sum(job.status.status is Status.RUNNING for job in model.survey.standings)
    counts = [f"{len(model.survey.standings)} jobs"]
    for entries, word in ((model.inventory.pools, "pool"), (model.inventory.disks, "disk")):
        watched = sum(entry.settings is not None for entry in entries)
        counts += [f"{watched} {word}{'s' if watched > 1 else ''}"] if watched else []
    words = counts[0] if len(counts) == 1 else f"{', '.join(counts[:-1])} and {counts[-1]}"
    return f"All {words} are in order" + (f", {running} running" if running else "")


def _concern_line(model: Model, concern: Concern) -> ConcernLine:
    return ConcernLine(
        tone=_TONE[concern.severity] if concern.severity != "info" else "never",
        word=concern.severity,
        text=sentence(concern.sentence),
        remedy=tuple(sentence(concern.remedy).split("`")),
        since=moment_of(model.survey, concern.since) if concern.since is not None else None,
        anchor=_anchor(model, concern),
    )


def _anchor(model: Model, concern: Concern) -> str | None:
    """Return the card that a concern is about."""
    if concern.job is not None:
        return "-".join(concern.job)
    things = [f"pool {each.name}" for each in model.inventory.pools]
    things += [f"replication {name}" for name in model.config.config.replications]
    things += [f"disk {each.name}" for each in model.inventory.disks]
    return anchor_of(concern.object) if concern.object in things else None


def _notes(model: Model) -> list[Row]:
    survey = model.survey
    notes = [Row("configuration", f"{model.config.path}, loaded", moment_of(survey, model.config.loaded_at))]
    chain = survey.history.chain
    if chain is not None and not chain.intact:
        notes.append(Row("history", f"chain broken after {chain.lines} lines", tone="bad"))
    elif chain is not None and survey.history_problem is not None:
        notes.append(Row("history", f"{chain.lines} runs; {survey.history_problem}", tone="bad"))
    elif chain is not None:
        notes.append(Row("history", f"{chain.lines} runs, chain intact"))
    elif not survey.history.exists:
        notes.append(Row("history", "not begun") if survey.past_known else Row("history", "not known", tone="warn"))
    return [*notes, audit_row(model)]
