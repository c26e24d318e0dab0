"""escrow-drill and export-key: prove what lies at a location outside this server, and write what is to lie there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.attestations import topics
from bkp.brought import escrow_location, insist_on_name, read_export
from bkp.clock import utc_now
from bkp.config import load_config
from bkp.errors import ExitCode, UsageError
from bkp.jobs import ESCROW_DRILL, Kind
from bkp.patience import in_time
from runner.commands import options
from runner.commands.running import chosen_targets, run_on, show_plans, tell, tell_json, voices
from runner.commands.waiting import say_who_holds

if TYPE_CHECKING:
    from bkp.config import Config
    from bkp.config.values import Duration
    from bkp.key_export import ExportedKey


@click.command(
    ESCROW_DRILL.name,
    short_help="Open the repository with an escrowed key and passphrase, and attest that.",
    epilog=options.examples(
        "bkp-run escrow-drill --location codes.hc --by 'A. Operator' --key /media/codes/borg-key.txt",
        "bkp-run escrow-drill --location vaultwarden --by 'A. Operator' --key -   paste it, then Ctrl-D",
        "bkp-run escrow-drill --location codes.hc --by 'A. Operator' --key key.txt --passphrase-fd 3 3< passphrase",
        "bkp-run escrow-drill --location codes.hc --by 'A. Operator' --key key.txt --copy /media/offline/backup-repo",
        "bkp-run escrow-drill --location codes.hc --by 'A. Operator' --key key.txt --dry-run",
    ),
)
@click.option("--location", required=True, help="Where key and passphrase were taken from, as audit.escrow names it.")
@click.option("--by", required=True, metavar="NAME", help="Who vouches for it.")
@click.option("--key", "export", required=True, metavar="FILE", help="The key export as it lies there, or -.")
@click.option(
    "--passphrase-fd", type=int, metavar="N", help="Read the passphrase from this descriptor; else it is asked."
)
@click.option("--copy", metavar="FOLDER", help="Open this copy of the repository instead, as of a remote one.")
@options.target
@options.dry_run
@options.as_json
@options.lock_wait
@options.quiet
@click.pass_obj
def escrow_drill(
    config_path: Path,
    location: str,
    by: str,
    export: str,
    passphrase_fd: int | None,
    copy: str | None,
    target: str | None,
    dry_run: bool,
    as_json: bool,
    lock_wait: Duration | None,
    quiet: bool,
) -> int:
    """Open the repository with nothing but the key and passphrase of one location, and restore a sample.

    The real repository is only read: borg works on an overlay with the brought key. If every file comes back as the
    last night backed it up, the location is attested with level opened. Do it once a year.

    A copy on other media is opened with --copy, as it is: of the repository itself only the key is asked then. It must
    have the last night's archive.
    """
    from bkp.secrets import from_person
    from runner.jobs.escrow_drill import Brought, job_with, opened_instead
    from runner.lifecycle.context import Options
    from runner.lifecycle.job import exit_code
    from runner.lifecycle.signals import ending_signals_raise

    config = load_config(config_path)
    name = _one(config, target)
    escrow_location(config, topics.KEY, location)
    insist_on_name(by)
    opened_instead(config.repositories[name], copy)
    wait = (config.lock_wait if lock_wait is None else lock_wait).total_seconds()
    if dry_run:
        show_plans(job_with(None, copy), config, [name], wait, as_json=as_json)
        return ExitCode.SUCCESS
    key = read_export(export)
    passphrase = from_person(f"Passphrase as it is at {location}", descriptor=passphrase_fd)
    brought = Brought(location, by, copy, key, passphrase)
    progress, log = voices(as_json=as_json, quiet=quiet)
    with ending_signals_raise(until_the_end=True) as signals:
        run = run_on(job_with(brought), config, name, Options(wait, progress), log, signals)
        if as_json:
            tell_json([run], one=True)
        elif not quiet:
            tell(run)
    return exit_code(run)


def _one(config: Config, target: str | None) -> str:
    names = chosen_targets(config, target, Kind.REPOSITORY)
    if len(names) > 1:
        raise UsageError("several repositories are configured", remedy=f"name one: --target {names[0]}")
    return names[0]


@click.command(
    "export-key",
    short_help="Write the repository's key into its file, and name the copies that are outdated.",
    epilog=options.examples(
        "bkp-run export-key",
        "bkp-run export-key --target main --to /media/codes/borg-key.txt",
        "bkp-run export-key --replace",
    ),
)
@options.target
@click.option("--to", "path", type=options.PlaceType(), help="The file to write.  [default: key_export]")
@click.option("--replace", is_flag=True, help="Write it over the different key that lies there.")
@options.dry_run
@click.pass_obj
def export_key(config_path: Path, target: str | None, path: Path | None, replace: bool, dry_run: bool) -> int:
    """Write the repository's key as `borg key export` does: mode 0600, whole or not at all.

    A different key that lies there is not written over, unless --replace says so. No passphrase is needed: the
    export is locked by the one that the repository has now.
    """
    from runner.key_watch import outdated_places
    from runner.lifecycle.signals import ending_signals_raise

    config = load_config(config_path)
    name = _one(config, target)
    repository = config.repositories[name]
    place = path or (Path(repository.key_export) if repository.key_export else None)
    if place is None:
        raise UsageError(f"repositories.{name}.key_export is null", remedy="name a file with --to")
    with ending_signals_raise(until_the_end=True) as signals:
        signals.arm()
        key = _export(config, name, place, replace=replace, dry_run=dry_run, named=path is not None)
    visit = outdated_places(config, name, key, utc_now())
    if visit:
        click.echo(f"outdated, or not attested for this key: {', '.join(visit)}")
        click.echo("renew each copy, then: bkp-audit attest key LOCATION --by NAME --file COPY")
    return ExitCode.SUCCESS


def _export(config: Config, name: str, place: Path, *, replace: bool, dry_run: bool, named: bool) -> ExportedKey:
    """Write the key and return it. A signal ends that, whatever does not answer.

    `named`: a person has named the file, and its folder has to be there: no key is to lie beside what is not mounted.
    """
    from bkp.state.files import PRIVATE_MODE, write_atomic
    from bkp.tools.borg.live_key import export_of

    wait = config.lock_wait.total_seconds()
    if named and not in_time(place.absolute().parent.is_dir, None):
        raise UsageError(f"{place.parent} is no folder of this server", remedy="mount it, or make it")
    say_who_holds(config, name, wait)
    content, key = export_of(config.repositories[name], lock_wait=wait)
    said = in_time(partial(_refuse_another, place, key, replace=replace), None)
    if not dry_run:
        in_time(partial(write_atomic, place.absolute(), content, mode=PRIVATE_MODE), None)
    click.echo(f"{'would write' if dry_run else 'wrote'} the key of {name} ({key.short}) to {place}{said}")
    return key


def _refuse_another(place: Path, key: ExportedKey, *, replace: bool) -> str:
    """Return what is said of what lies there; raise `UsageError` for another key that is not to be written over."""
    from bkp.key_export import MAX_BYTES, parse_key_export
    from bkp.state.files import read_bytes
    from bkp.state.reading import Missing, Readable

    reading = read_bytes(place.absolute(), MAX_BYTES)
    if isinstance(reading, Missing):
        return ""
    try:
        before = parse_key_export(reading.value) if isinstance(reading, Readable) else None
    except ValueError:
        before = None
    if before is not None and before.fingerprint == key.fingerprint:
        return ", where it was already"
    what = f"another key lies there ({before.short})" if before is not None else "something lies there that is no key"
    if not replace:
        raise UsageError(f"{place}: {what}", remedy="move it away, or write over it with --replace")
    return f", over what lay there: {what}"


COMMANDS = (escrow_drill, export_key)
