"""The commands that look and change nothing: list, status, history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.archive_names import run_of
from bkp.cli import complain
from bkp.clock import local_zone, utc_now
from bkp.config import load_config
from bkp.errors import BkpError, ExitCode, StateError
from bkp.jobs import Kind
from runner import PROGRAM
from runner.commands import options
from runner.commands.running import chosen_targets
from runner.commands.waiting import say_who_holds

if TYPE_CHECKING:
    from bkp.config.values import Duration
    from bkp.state.records import Run
    from bkp.state.store import StateStore
    from bkp.tools.borg.client import Listing


@click.command(
    "list",
    short_help="List the repository's archives.",
    epilog=options.examples("bkp-run list", "bkp-run list --target main", "bkp-run list --json | jq '.archives[-1]'"),
)
@options.target
@options.as_json
@options.lock_wait
@click.pass_obj
def list_command(config_path: Path, target: str | None, as_json: bool, lock_wait: Duration | None) -> int:
    """List archives, newest last, with what is recorded of each run that made one.

    A repository that cannot be listed is named, and the others are shown; the exit code is then 3.
    """
    from bkp.tools.borg.client import Borg, passphrase_of
    from runner.views import archives

    config = load_config(config_path)
    wait = (config.lock_wait if lock_wait is None else lock_wait).total_seconds()
    from bkp.state.store import StateStore

    store = StateStore(Path(config.paths.state))
    targets, code = chosen_targets(config, target, Kind.REPOSITORY), ExitCode.SUCCESS
    documents: list[bytes] = []
    for each in targets:
        repository = config.repositories[each]
        try:
            say_who_holds(config, each, wait)
            listing = Borg(repository, passphrase_of(repository), lock_wait=wait).list_archives()
        except BkpError as exc:
            if len(targets) == 1:
                raise
            # and show the others: that one is broken makes them the more interesting
            complain(PROGRAM, f"{each}: {exc}")
            code = ExitCode.FAILURE
            continue
        made = _made(store, each, listing)
        marks = archives.marks(listing, made, repository.prefix, utc_now())
        if as_json:
            documents.append(archives.as_json(each, listing, made, marks))
        else:
            click.echo(archives.as_text(each, listing, made, marks, local_zone()))
    if as_json:
        click.echo(documents[0] if len(targets) == 1 else b"[" + b",".join(documents) + b"]")
    return code


def _made(store: StateStore, target: str, listing: Listing) -> dict[str, Run]:
    """Return the recorded run of each archive, by the archive's id: a help, without which archives are listed too.

    A run that was cut off may not know the id that its archive has by its last name; the name tells of the run.
    """
    try:
        runs = [run for run in store.ledger.runs() if run.archive and run.target == target]
    except StateError as exc:
        click.echo(f"warning: {exc}", err=True)
        return {}
    by_id, by_run = {run.archive.id: run for run in runs if run.archive}, {run.run_id: run for run in runs}
    found = {each.id: by_id.get(each.id) or by_run.get(run_of(each.name) or "") for each in listing.archives}
    return {key: run for key, run in found.items() if run is not None}


@click.command(
    "status",
    short_help="Say what is ok, late, failed, running or unknown.",
    epilog=options.examples(
        "bkp-run status",
        "bkp-run status --target main",
        "bkp-run status --json | jq -r '.concerns[] | select(.severity == \"critical\") | .sentence'",
    ),
)
@options.target
@options.as_json
@click.pass_obj
def status_command(config_path: Path, target: str | None, as_json: bool) -> int:
    """Say how every job stands and what needs attention, gravest first, from the records alone.

    Ends with 0 if nothing needs attention, with 1 if only a run gave warnings, else with 3. A job that is run by hand
    only and has never run is shown, and needs no attention.
    """
    from bkp.concerns import concerns_of
    from bkp.liveness import is_alive
    from bkp.state.store import StateStore
    from bkp.survey import survey
    from runner.views import statuses

    config = load_config(config_path)
    store, targets = StateStore(Path(config.paths.state)), chosen_targets(config, target, Kind.REPOSITORY)
    seen = survey(config, store, utc_now, local_zone(), is_alive)
    found = [each.status for each in seen.standings if each.target in targets]
    concerns = concerns_of(config, seen)
    if target is not None:
        concerns = [each for each in concerns if target in each.object.split()]
    shown = statuses.as_json(found, concerns) if as_json else statuses.as_text(found, concerns, seen.now, seen.zone)
    click.echo(shown)
    return statuses.exit_code(concerns)


@click.command(
    "history",
    short_help="Show recorded runs and verify their hash chain.",
    epilog=options.examples(
        "bkp-run history", "bkp-run history --last 100", "bkp-run history --json | jq '.runs[-1].steps'"
    ),
)
@click.option("--last", "-n", default=20, show_default=True, type=click.IntRange(1), help="How many runs to show.")
@options.as_json
@click.pass_obj
def history_command(config_path: Path, last: int, as_json: bool) -> int:
    """Show the newest runs, and walk the whole chain: nothing in the middle may be changed or missing."""
    from bkp.state.store import StateStore
    from runner.views import history

    store = StateStore(Path(load_config(config_path).paths.state))
    if (problem := store.presence().problem) is not None:
        raise StateError(f"no history can be shown: {problem}")
    ledger = store.ledger
    report, runs = ledger.verify(), ledger.last_runs(last)
    click.echo(history.as_json(report, runs) if as_json else history.as_text(report, runs, local_zone()))
    if not report.intact:
        raise BkpError(
            f"the history {ledger.path} is not intact: {report.problem or 'its last line is torn'}",
            remedy="a torn last line is mended by the next run; else keep the file, and find out who wrote to it",
        )
    return ExitCode.SUCCESS


COMMANDS = (list_command, status_command, history_command)
