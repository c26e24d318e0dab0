"""`bkp-audit facts`: save the evidence, or list what facts there are."""

from __future__ import annotations

from pathlib import Path

import click

from auditor import PROGRAM_VERSION
from auditor.cli.common import collect_live, moment, read_config, rules_folder
from auditor.cli.output import OUTPUT, check_outputs, is_stdout, write_output
from bkp.cli import examples


@click.command(epilog=examples("bkp-audit facts -o facts.json", "bkp-audit facts | less", "bkp-audit facts --list"))
@click.option(
    "-o", "--output", type=OUTPUT, default=Path("-"), help="File to write, mode 0600.  [default: standard output]"
)
@click.option("--list", "list_only", is_flag=True, help="List every fact that a rule may use; look at nothing.")
@click.pass_obj
def facts(config_path: Path, output: Path, list_only: bool) -> int:
    """Collect facts from this host and save them; judge nothing.

    The file holds no secret, but it names the files that hold them: it is written for its owner only.
    """
    if list_only:
        _list()
        return 0
    from auditor.facts_file import encode_evidence, zone_named
    from bkp.state.files import PRIVATE_MODE

    check_outputs(output)
    config = read_config(config_path)
    evidence = collect_live(config, config_path, rules_folder(None, config), moment(None))
    write_output(output, encode_evidence(evidence, PROGRAM_VERSION), mode=PRIVATE_MODE)
    if zone_named(evidence.timezone) is None:
        note = "the time zone of this host has no name (is /etc/localtime a copy?): call with TZ=AREA/CITY, or write it"
        click.echo(f"note: {note} into the file in place of {evidence.timezone!r}, to have it judged", err=True)
    if not is_stdout(output):
        errors = sum(fact.error is not None for _, fact in evidence.facts.items())
        noted = f", {errors} of them could not be had" if errors else ""
        click.echo(f"{len(evidence.facts)} facts written to {output}{noted}", err=True)
    return 0


def _list() -> None:
    from auditor.catalogue import NAMESPACES

    for space in NAMESPACES:
        click.echo(f"{space.doc}")
        for spec in space.fields.values():
            unit = f", {spec.unit}" if spec.unit else ""
            click.echo(f"  {spec.name}  ({spec.type}{unit})  {spec.doc}")
