"""`bkp-audit fingerprint`: which key an export holds. Reads the one file that is named, and no configuration."""

from __future__ import annotations

from pathlib import Path

import click

from bkp.cli import examples
from bkp.errors import UsageError


@click.command(
    epilog=examples(
        "bkp-audit fingerprint /media/codes/borg-key.txt",
        "bkp-audit fingerprint - < paper.txt               as pasted or piped",
        "bkp-audit fingerprint --json key.html | jq -r .fingerprint",
        "bkp-audit fingerprint --standalone > fingerprint.py   for the machine where the vault is opened",
    )
)
@click.argument("export", metavar="FILE", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--standalone", is_flag=True, help="Print a program of one file that does this with nothing but Python.")
def fingerprint(export: str | None, as_json: bool, standalone: bool) -> int:
    """Say which key an export holds: FILE as `borg key export` wrote it (plain, --paper or --qr-html), or -.

    The first 12 digits of the fingerprint are those on the id line of a paper key. The export itself is never shown,
    and no network, repository or configuration is needed.
    """
    if standalone:
        if export is not None or as_json:
            raise UsageError("--standalone prints a program; it reads no FILE", remedy="leave out the rest")
        click.echo(standalone_program(), nl=False)
        return 0
    if export is None:
        raise UsageError("which FILE?", remedy="name an export, or - for standard input")
    from bkp.brought import read_export
    from bkp.key_export import describe_key

    key = read_export(export)
    if as_json:
        import json

        told = {"form": key.form, "repository_id": key.repository_id, "fingerprint": key.fingerprint}
        click.echo(json.dumps({**told, "usable": key.usable}, indent=1))
    else:
        click.echo("\n".join(describe_key(key)))
    return 0


def standalone_program() -> str:
    """Return the module `bkp.key_export` as a program: it needs nothing but Python."""
    from bkp import key_export

    return "#!/usr/bin/env python3\n" + Path(key_export.__file__).read_text(encoding="utf-8")
