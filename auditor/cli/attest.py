"""`bkp-audit attest`: put on record what somebody has seen or compared at a location; list what is, and what is not."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.common import moment, read_config, rules_folder
from auditor.exit_codes import AuditExit
from bkp.attestations import topics
from bkp.brought import STDIN, escrow_location, insist_on_name, read_export
from bkp.cli import examples
from bkp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from auditor.attest.proof import Proof
    from auditor.attest.site import Site
    from bkp.attestations.model import Attestation, Level
    from bkp.attestations.topics import Topic

_DRILL = "`bkp-run escrow-drill --location {place}` opens the repository with what lies there, and attests that"
_EXAMPLES = {
    "key": (
        "vaultwarden --fingerprint 'e819dc 7f5717'",
        "codes.hc --file /media/codes/borg-key.txt",
        "locked.hc --stdin",
    ),
    "passphrase": ("codes.hc",),
    "zfs-key": ("codes.hc --file /media/codes/zfs.key", "codes.hc --target tank/Secure"),
    "runbook": ("codes.hc --statement 'Opened it on the laptop and read it'",),
    "old-exports": ("codes.hc --statement 'Removed the export of last year'",),
    "recovery": ("laptop --statement 'Restored /etc from the offline copy on a laptop without a network'",),
    "report": ("operator --statement 'Read the report of January'",),
    "replica-site": ("cellar --statement 'This server is in the cellar of my parents, the live server at home'",),
}
_COMPARE = "to compare it: --file, --stdin or --fingerprint"


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "bkp-audit attest                                ask location by location",
        "bkp-audit attest list                           what is attested, until when, and what is missing",
        "bkp-audit attest key vaultwarden --by 'A. Operator' --fingerprint 'e819dc 7f5717'",
        "bkp-audit attest key codes.hc --by 'A. Operator' --file /media/codes/borg-key.txt",
        "bkp-audit attest passphrase codes.hc --by 'A. Operator'",
    ),
)
@click.pass_context
def attest(context: click.Context) -> int | None:
    """Put on record what lies at a location outside this server, after comparing it with what is in use.

    Levels: seen (somebody says so), matched (compared), opened (bkp-run escrow-drill opened the repository with it).
    Nothing secret is stored: of a key its fingerprint, of a passphrase nothing.
    """
    if context.invoked_subcommand is not None:
        return None
    from auditor.cli.attest_interactive import ask_all

    return ask_all(_site(context.obj), lambda given, proofs: _record(context.obj, given, proofs))


@dataclass(frozen=True)
class Given:
    """What the call says: the thing, where it lies or what it is about, the level, who vouches, and in which words."""

    topic: Topic
    subject: str
    level: Level | None
    by: str
    target: str | None = None
    statement: str | None = None
    dry_run: bool = False


def _site(config_path: Path) -> Site:
    from auditor.attest.site import Site

    return Site(read_config(config_path), moment(None))


def _command(topic: Topic, subject: str, summary: str, *more: Callable[..., Any]) -> Callable[..., Any]:
    """Return the decorators that the commands share, their own first."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        shared: list[Callable[..., Any]] = [
            click.argument("subject", metavar=subject),
            *more,
            click.option("--level", type=click.Choice(["seen", "matched", "opened"]), help="How far it was proven."),
            click.option("--by", required=True, metavar="NAME", help="Who vouches for it."),
            click.option("--statement", metavar="TEXT", help="What was done and seen, in words of your own."),
            click.option("--dry-run", "-n", is_flag=True, help="Compare, and say what would be attested."),
            click.pass_obj,
        ]
        for option in reversed(shared):
            function = option(function)
        lines = [f"bkp-audit attest {topic.word} {line} --by 'A. Operator'" for line in _EXAMPLES[topic.word]]
        made: click.Command = attest.command(topic.word, help=summary, epilog=examples(*lines))(function)
        return made

    return decorate


_target = click.option("--target", "-t", help="Only this repository, encryption root (of a ZFS key) or replication.")
_file = click.option("--file", metavar="FILE", help="The copy, as it lies there.")
_stdin = click.option("--stdin", is_flag=True, help="The copy comes on standard input.")


@_command(
    topics.KEY,
    "LOCATION",
    "Attest the key export at LOCATION: an export in any form, or the digits of its fingerprint.",
    *(_file, _stdin, click.option("--fingerprint", metavar="DIGITS", help="At least 12 digits of its fingerprint.")),
    _target,
)
def _key(
    config_path: Path,
    subject: str,
    file: str | None,
    stdin: bool,
    fingerprint: str | None,
    target: str | None,
    **rest: Any,
) -> int:
    from auditor.attest.proof import of_digits, of_export

    given = Given(topics.KEY, subject, target=target, **rest)
    if (file is not None) + stdin + (fingerprint is not None) > 1:
        raise UsageError("--file, --stdin and --fingerprint: wanted one of them")
    site = _site(config_path)
    escrow_location(site.config, given.topic, subject)
    if file is not None or stdin:
        proofs = [of_export(site, subject, read_export(file if file is not None else STDIN), target)]
    elif fingerprint is not None:
        proofs = [of_digits(site, subject, fingerprint, target)]
    else:
        proofs = _word(site, given)
    return _record(config_path, given, proofs, site)


@_command(
    topics.PASSPHRASE,
    "LOCATION",
    "Attest the passphrase at LOCATION: it is asked for without an echo, and opens the repository.",
    *(_stdin, click.option("--passphrase-fd", type=int, metavar="N", help="Read it from this descriptor.")),
    _target,
)
def _passphrase(
    config_path: Path, subject: str, stdin: bool, passphrase_fd: int | None, target: str | None, **rest: Any
) -> int:
    from auditor.attest.proof import of_passphrase
    from bkp.secrets import from_person

    given = Given(topics.PASSPHRASE, subject, target=target, **rest)
    site = _site(config_path)
    escrow_location(site.config, given.topic, subject)
    if given.level == "seen":
        return _record(config_path, given, _word(site, given), site)
    asked = from_person(f"Passphrase as it is at {subject}", descriptor=0 if stdin else passphrase_fd)
    return _record(config_path, given, [of_passphrase(site, subject, asked, target)], site)


@_command(
    topics.ZFS_KEY,
    "LOCATION",
    "Attest the ZFS key at LOCATION: it is tried with `zfs load-key -n`, which loads nothing.",
    *(_file, _stdin, _target),
)
def _zfs_key(config_path: Path, subject: str, file: str | None, stdin: bool, target: str | None, **rest: Any) -> int:
    from auditor.attest.proof import of_zfs_key
    from bkp.secrets import from_person

    given = Given(topics.ZFS_KEY, subject, target=target, **rest)
    site = _site(config_path)
    escrow_location(site.config, given.topic, subject)
    if file is not None or stdin:
        copy = _bytes(file if file is not None else STDIN)
    else:
        copy = from_person(f"ZFS passphrase as it is at {subject}").reveal().encode()
    return _record(config_path, given, [of_zfs_key(site, subject, copy, target)], site)


def _bytes(name: str) -> bytes:
    from pathlib import Path

    from bkp.tools.zfs.keys import MAX_KEY_FILE

    try:
        if name == STDIN:
            return sys.stdin.buffer.read(MAX_KEY_FILE)
        with Path(name).open("rb") as handle:
            return handle.read(MAX_KEY_FILE)
    except OSError as exc:
        raise UsageError(f"{name} cannot be read: {exc.strerror}") from None


def _seen_only(topic: Topic, subject: str, summary: str, *, targets: bool = False) -> None:
    """Add the command of a thing for which there is only a person's word."""

    @_command(topic, subject, summary, *((_target,) if targets else ()))
    def _seen(config_path: Path, subject: str, target: str | None = None, **rest: Any) -> int:
        given = Given(topic, subject, target=target, **rest)
        site = _site(config_path)
        if topic.item is not None:
            escrow_location(site.config, topic, subject)
        return _record(config_path, given, _word(site, given, keyed=targets), site)


_seen_only(topics.RUNBOOK, "LOCATION", "Attest that the recovery runbook lies at LOCATION, and can be read there.")
_seen_only(
    topics.OLD_EXPORTS,
    "LOCATION",
    "Attest that no older export of the key is left at LOCATION: with its old passphrase it opens for ever.",
    targets=True,
)
_seen_only(
    topics.RECOVERY,
    "MACHINE",
    "Attest that files were restored on MACHINE with nothing of this server: copy, key, passphrase and ZFS key.",
    targets=True,
)
_seen_only(topics.REPORT, "READER", "Attest that READER has read the newest report that the audit has kept.")
_seen_only(
    topics.REPLICA_SITE,
    "SITE",
    "Attest that the replica is at SITE, and that the live server stands somewhere else.",
    targets=True,
)


def _word(site: Site, given: Given, *, keyed: bool = True) -> list[Proof]:
    from auditor.attest.proof import carried, of_replica_site, of_report, of_word

    carried(given.level, "seen", _DRILL.format(place=given.subject) if given.level == "opened" else _COMPARE)
    if given.level is None and given.topic.least != "seen":
        raise UsageError(f"what was compared at {given.subject}?", remedy=f"{_COMPARE}; or --level seen")
    if given.topic is topics.REPORT:
        return of_report(site, given.statement or "")
    if given.topic is topics.REPLICA_SITE:
        return of_replica_site(site, given.target, given.statement or "")
    return of_word(site, given.target, given.statement or "", keyed=keyed)


def _record(config_path: Path, given: Given, proofs: Sequence[Proof], site: Site | None = None) -> int:
    """Append what was proven, and say what it is good for."""
    from auditor.attest.proof import carried
    from auditor.cli.output import print_text

    site = site or _site(config_path)
    insist_on_name(given.by)
    told = []
    for proof in proofs:
        level = carried(given.level, proof.level, _DRILL.format(place=given.subject))
        own = given.statement if proof.level != "seen" else None  # what was only seen is in these words already
        told.append(replace(proof, level=level, statement="; ".join(filter(None, (proof.statement, own)))))
    if given.dry_run:
        print_text("".join(f"would attest: {_what(given, proof)}\n" for proof in told))
        return AuditExit.CLEAN
    written = site.attest(given.topic, given.subject, told, given.by)
    for proof, record in zip(told, written, strict=True):
        print_text("\n".join([f"attested: {_what(given, proof)}", *_good_for(site, proof, record)]) + "\n")
    return AuditExit.CLEAN


def _what(given: Given, proof: Proof) -> str:
    of = f" of {proof.target}" if proof.target else ""
    remark = f"\n  note: {proof.remark}" if proof.remark else ""
    return f"{given.topic.title}{of}, {given.subject}: {proof.level}, by {given.by}{remark}"


def _good_for(site: Site, proof: Proof, record: Attestation) -> Iterator[str]:
    from auditor.attest.good_for import uses
    from auditor.rules.folder import load_rules

    found = list(uses(site, load_rules(rules_folder(None, site.config)), record, proof.target))
    for use in found:
        if use.until is not None:
            day = use.until.astimezone(site.zone)
            yield f"  good for {use.rule.id} until {day:%Y-%m-%d}: {use.rule.title}"
        else:
            yield f"  not for  {use.rule.id}: {use.why_not}"
    if not found:
        yield "  no rule of this server asks for it"


@attest.command("list", epilog=examples("bkp-audit attest list", "bkp-audit attest list --json | jq '.[] | .state'"))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def _list(config_path: Path, as_json: bool) -> int:
    """List what each location is to hold: level, age and end of its attestation, and what attests what is missing."""
    from auditor.attest.listing import as_rows, as_text
    from auditor.cli.output import print_text

    site = _site(config_path)
    found = site.standings()
    if as_json:
        import json

        print_text(json.dumps(as_rows(found), indent=1) + "\n")
    else:
        print_text(as_text(found, site.now, site.zone))
    return AuditExit.CLEAN if found and all(each.state.counts for each in found) else AuditExit.UNJUDGED
