"""`bkp-audit fingerprint`: which key an export holds. Reads the one file that is named, and no configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.cli import examples
from bkp.errors import UsageError

if TYPE_CHECKING:
    from bkp.key_export import ExportedKey


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


def read_export(name: str) -> ExportedKey:
    """Return the key in the file of that name, or on standard input (`-`); raise `UsageError` where there is none."""
    from bkp.key_export import MAX_BYTES, parse_key_export

    shown = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as handle:
                content = handle.read(MAX_BYTES + 1)
        return parse_key_export(content)
    except OSError as exc:
        raise UsageError(f"{shown} cannot be read: {exc.strerror}", remedy="name an export, or - for stdin") from None
    except ValueError as exc:
        raise UsageError(f"{shown} {exc}", remedy="export the key again where that can be done, and store it") from None
