"""The status page: what the model says, in the words and the local time of the people who look after the backups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.status import Status
from exporter.page.jobs import JobCard, job_card, sentence
from exporter.page.parts import Moment, Row, moment_of
from exporter.page.repositories import RepositoryCard, is_of_repository, repository_card

if TYPE_CHECKING:
    from jinja2 import Template

    from bkp.survey import Standing
    from exporter.model import Model

TEMPLATES = Path(__file__).parents[1] / "templates"

_GRAVITY = (Status.FAILED, Status.LATE, Status.NEVER, Status.UNKNOWN)


@dataclass(frozen=True)
class Page:
    """The whole page."""

    host: str
    now: Moment
    tone: str
    headline: str
    attention: tuple[JobCard, ...]
    problems: tuple[str, ...]
    others: tuple[JobCard, ...]
    repositories: tuple[RepositoryCard, ...]
    notes: tuple[Row, ...]
    several: bool


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
    bad = tuple(job for job in survey.standings if job.status.needs_attention)
    problems = tuple(_problems(model))
    return Page(
        host=model.host,
        now=moment_of(survey, survey.now),
        tone=_tone(model, bad, problems),
        headline=_headline(model, bad, problems),
        attention=tuple(cards[job.job, job.target] for job in bad),
        problems=problems,
        others=tuple(card for card in cards.values() if not is_of_repository(card)),
        repositories=tuple(repository_card(model, repository, cards.values()) for repository in model.repositories),
        notes=tuple(_notes(model)),
        several=len({job.target for job in survey.standings}) > 1,
    )


def _tone(model: Model, bad: tuple[Standing, ...], problems: tuple[str, ...]) -> str:
    statuses = {job.status.status for job in bad}
    for status in _GRAVITY:
        if status in statuses:
            return status.value
    return "late" if problems else "ok" if model.survey.standings else "unknown"


def _headline(model: Model, bad: tuple[Standing, ...], problems: tuple[str, ...]) -> str:
    total = len(model.survey.standings)
    if bad:
        return f"{len(bad)} of {total} jobs {'needs' if len(bad) == 1 else 'need'} attention"
    running = sum(job.status.status is Status.RUNNING for job in model.survey.standings)
    text = f"All {total} jobs are in order" + (f", {running} running" if running else "")
    return f"{text}, but not everything is" if problems else text


def _problems(model: Model) -> list[str]:
    found = []
    if not model.config.current:
        found.append(
            "The configuration file is not valid or is gone; this page shows the one before it. "
            "`bkp-run config check` says what is wrong."
        )
    if model.survey.presence.problem is not None:
        found.append(sentence(model.survey.presence.problem))
    else:
        unusable = (file for file in model.files if file.problem)
        found += [f"State file {file.name} cannot be used: it {_clause(file.problem or '')}." for file in unusable]
    if model.survey.history.chain is not None and model.survey.history_problem is not None:
        found.append(f"The history of runs does not hold: {model.survey.history_problem}.")
    found += [
        f"The last archive of {repository.name} lacks source {source}."
        for repository in model.repositories
        for source in repository.missing
    ]
    found += [
        f"{each.job} on {each.target} has records, but is not in the configuration."
        for each in model.survey.others[:20]
    ]
    return found


def _clause(problem: str) -> str:
    return problem if problem.startswith(("is ", "has ", "cannot ")) else f"has a problem: {problem}"


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
    return notes
