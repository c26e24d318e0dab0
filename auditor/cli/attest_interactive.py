"""`bkp-audit attest` without arguments: asks location by location, what has ended or ends first before the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.attest.listing import as_text
from auditor.attest.proof import of_digits, of_export, of_passphrase, of_word, of_zfs_key
from auditor.cli.attest import Given
from auditor.exit_codes import AuditExit
from bkp.attestations import topics
from bkp.attestations.duties import State
from bkp.brought import insist_on_name, read_export
from bkp.errors import BkpError
from bkp.secrets import Secret
from bkp.tools.zfs.keys import MAX_KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditor.attest.proof import Proof
    from auditor.attest.site import Site
    from bkp.attestations.duties import Standing

_NEVER = datetime.max.replace(tzinfo=UTC)
_ASKS = {
    topics.KEY.word: "file of the export as it lies there, or 12 digits of its fingerprint",
    topics.PASSPHRASE.word: "passphrase as it is there (not shown)",
    topics.ZFS_KEY.word: "file of the key as it lies there",
    topics.RUNBOOK.word: "what you have seen",
}


def in_order(found: Sequence[Standing]) -> list[Standing]:
    """Return what does not count first, then what ends first."""
    return sorted(found, key=lambda each: (each.state.counts, each.ends or _NEVER))


def ask_all(site: Site, record: Callable[[Given, list[Proof]], int]) -> int:
    """Ask for each thing; an empty answer passes it over. Return `FINDING` if an answer was refused."""
    found = site.standings()
    click.echo(as_text(found, site.now, site.zone))
    if not found:
        return AuditExit.UNJUDGED
    click.echo("Open each location, and give what lies there. An empty answer passes it over; Ctrl-C ends.\n")
    by = click.prompt("Who are you", type=str)
    insist_on_name(by)
    code = AuditExit.CLEAN
    for standing in in_order(found):
        if standing.state is State.UNKNOWN:
            click.echo(f"{standing.duty.location.name}: {standing.duty.what}: {standing.why}")
            continue
        try:
            proofs = _ask(site, standing)
        except (BkpError, OSError) as exc:
            click.echo(f"  NOT attested: {exc}\n")
            code = AuditExit.FINDING
            continue
        if proofs:
            duty = standing.duty
            record(Given(duty.topic, duty.location.name, None, by, duty.target), proofs)
            click.echo("")
    return code


def _ask(site: Site, standing: Standing) -> list[Proof]:
    """Return what the answer proves; nothing for an empty one."""
    duty = standing.duty
    place, word = duty.location.name, duty.topic.word
    typed = word == topics.ZFS_KEY.word and site.zfs_keys[duty.target or ""].form == "passphrase"
    hidden = typed or word == topics.PASSPHRASE.word
    click.echo(f"{place}: {duty.what}" + (f" ({standing.why})" if standing.why else ""))
    asked = _ASKS[topics.PASSPHRASE.word if hidden else word]
    answer: str = click.prompt(f"  {asked}", default="", show_default=False, hide_input=hidden)
    if not answer:
        return []
    if word == topics.PASSPHRASE.word:
        return [of_passphrase(site, place, Secret(answer), duty.target)]
    if word == topics.KEY.word:
        digits = "".join(answer.split())
        if len(digits) >= 12 and all(sign in "0123456789abcdefABCDEF" for sign in digits):
            return [of_digits(site, place, answer, duty.target)]
        return [of_export(site, place, read_export(answer), duty.target)]
    if word == topics.ZFS_KEY.word:
        copy = answer.encode() if typed else Path(answer).read_bytes()[:MAX_KEY_FILE]
        return [of_zfs_key(site, place, copy, duty.target)]
    return of_word(site, duty.target, answer, keyed=False)
