"""`bkp-audit run`: collect or load evidence, judge, show, exit."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor import PROGRAM, PROGRAM_VERSION
from auditor.cli.common import FILE, collect_live, moment, read_config, rules_folder, rules_option
from auditor.cli.ending import UnmailedError, check_mail, compared, keep_and_mail
from auditor.cli.output import OUTPUT, check_outputs, is_stdout, print_text, write_output
from bkp import decoding
from bkp.cli import complain, examples, named_config
from bkp.errors import StateError, UsageError
from bkp.output import OutputError
from bkp.severity import SEVERITIES, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from auditor.engine import JudgeOptions
    from auditor.evidence import Evidence
    from auditor.report import Report
    from auditor.rules.model import RuleSet
    from bkp.errors import BkpError

_COLOURS = {"fail": "red", "error": "magenta", "unattested": "yellow", "pass": "green", "na": "bright_black"}


@click.command(
    epilog=examples(
        "bkp-audit --html report.html --json report.json",
        "bkp-audit --mail",
        "bkp-audit --facts facts.json --waivers waivers.yml --at 2026-01-31T12:00:00Z",
        "ssh server bkp-audit facts | bkp-audit --facts -",
        "bkp-audit --json - | jq .totals",
    )
)
@rules_option
@click.option(
    "--facts",
    "facts_path",
    type=click.Path(dir_okay=False, readable=False, allow_dash=True, path_type=Path),
    help="Judge these saved facts, - for standard input. Host and configuration are not looked at: the rules are those"
    " of --rules or the shipped ones, the waivers those of --waivers or none.",
)
@click.option(
    "--waivers",
    "waivers_path",
    type=FILE,
    help="Waiver file in place of the configured one. With --facts none is configured.",
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    help="Least severity of a failure that ends with 1.  [default: as configured]",
)
@click.option("--html", "html_path", type=OUTPUT, help="Write the report as one HTML file; - for standard output.")
@click.option(
    "--json",
    "json_path",
    type=OUTPUT,
    is_flag=False,
    flag_value=Path("-"),
    help="Write the report as JSON; without a file, to standard output in place of the text.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Keep the report in the state directory's audit/ as well: the next one compares itself with it.",
)
@click.option(
    "--mail",
    is_flag=True,
    help="Mail the report to mail.to, clean or not, and keep it. What cannot leave waits in the outbox.",
)
@click.option("--at", help="Judge saved facts as of this time instead of now.")
@click.option("-v", "--verbose", is_flag=True, help="Show the evidence of every rule.")
@click.option("-q", "--quiet", is_flag=True, help="Print no text report.")
@click.pass_obj
def run(
    config_path: Path,
    rules_dir: Path | None,
    facts_path: Path | None,
    waivers_path: Path | None,
    fail_on: str | None,
    html_path: Path | None,
    json_path: Path | None,
    keep: bool,
    mail: bool,
    at: str | None,
    verbose: bool,
    quiet: bool,
) -> int:
    """Judge all rules and print the report (the default command)."""
    from auditor.engine import judge
    from auditor.rules.folder import load_rules
    from auditor.waiver_file import load_waivers
    from bkp.clock import local_zone

    now = moment(at)
    check_outputs(html_path, json_path)
    if keep or mail:
        _refuse_to_keep_others("--mail" if mail else "--keep", facts_path, rules_dir, waivers_path)
    if facts_path is not None:
        evidence, rules = _saved(facts_path, rules_dir, waivers_path, quiet=quiet)
        config = None
    else:
        if at is not None:
            message = "--at: what is asked of this host now is no evidence of another time"
            raise UsageError(message, remedy="name saved facts with --facts, or leave out --at")
        config = read_config(config_path)
        if mail:
            check_mail(config)
        rules = load_rules(rules_folder(rules_dir, config))
        waivers_path = waivers_path or _path(config.audit.waivers)
        if waivers_path is not None:  # before anything slow is asked
            load_waivers(waivers_path, rules.rules, now, local_zone())
        evidence = collect_live(config, config_path, rules.folder, now)
        now = moment(None)
    options = _options(rules, evidence, fail_on, now, whole=rules_dir is None)
    exemptions = load_waivers(waivers_path, rules.rules, now, evidence.zone) if waivers_path else []
    report = judge(rules, evidence, exemptions, options)
    after: list[Callable[[], None]] = []
    if config is not None and rules_dir is None:
        report = compared(report, evidence, config)
        after = [partial(keep_and_mail, report, config, mail=mail)] if keep or mail else []
    _write_all(_outputs(report, html_path, json_path, verbose=verbose, quiet=quiet) + after)
    return report.exit_code


def _saved(
    facts_path: Path, rules_dir: Path | None, waivers_path: Path | None, *, quiet: bool
) -> tuple[Evidence, RuleSet]:
    """Return saved evidence and the rules to judge it by."""
    from auditor.facts_file import load_evidence
    from auditor.rules.folder import load_rules

    if named_config() is not None:
        raise UsageError("--facts judges saved facts and reads no configuration", remedy="leave out --config")
    evidence = load_evidence(facts_path)
    rules = load_rules(rules_folder(rules_dir, None))
    if not quiet:
        _say_what_is_not_applied(evidence, rules_dir, waivers_path)
    return evidence, rules


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _refuse_to_keep_others(
    what: str, facts_path: Path | None, rules_dir: Path | None, waivers_path: Path | None
) -> None:
    """Raise `UsageError` unless this host is judged as it is configured: the next report is compared with it."""
    for option, given in (("--facts", facts_path), ("--rules", rules_dir), ("--waivers", waivers_path)):
        if given is not None:
            message = f"{what} is for audits of this host as it is configured, and {option} is given"
            raise UsageError(message, remedy=f"leave out {what} or {option}; --json keeps any report in a file")


def _say_what_is_not_applied(evidence: Evidence, rules_dir: Path | None, waivers_path: Path | None) -> None:
    """Say which of the host's own rules and waivers are not applied: saved facts do not contain them."""
    for name, given, what, option in (
        ("config.rules_folder", rules_dir, "rules of its own", "--rules"),
        ("config.waiver_file", waivers_path, "waivers", "--waivers"),
    ):
        fact = evidence.facts.get(name)
        if given is None and fact is not None and fact.value is True:
            click.echo(f"note: the host is configured with {what}; name a copy with {option} to apply them", err=True)


def _options(rules: RuleSet, evidence: Evidence, fail_on: str | None, now: datetime, *, whole: bool) -> JudgeOptions:

    from auditor.engine import JudgeOptions
    from auditor.rules.folder import load_frameworks, rule_names
    from bkp.resources import data_dir

    frameworks = load_frameworks(rules.folder, rules)
    minimum = evidence.facts.get("config.minimum_applicable")
    return JudgeOptions(
        now=now,
        zone=evidence.zone,
        program=PROGRAM_VERSION,
        fail_on=decoding.convert(fail_on or evidence.facts.text("config.fail_on") or "low", Severity),
        minimum_applicable=minimum.value if minimum and isinstance(minimum.value, float) else 0.5,
        frameworks=frameworks,
        shipped=rule_names(data_dir("rules")),
        whole=whole,
    )


def _outputs(
    report: Report, html_path: Path | None, json_path: Path | None, *, verbose: bool, quiet: bool
) -> list[Callable[[], None]]:
    """Return what writes each report that is wanted."""
    wanted: list[Callable[[], None]] = []
    if html_path is not None:
        from auditor.render.html import render_html

        wanted.append(partial(write_output, html_path, render_html(report).encode()))
    if json_path is not None:
        from auditor.render.json import render_json

        wanted.append(partial(write_output, json_path, render_json(report)))
    if not quiet and not is_stdout(html_path) and not is_stdout(json_path):
        wanted.append(partial(_print, report, verbose=verbose))
    return wanted


def _write_all(wanted: Sequence[Callable[[], None]]) -> None:
    """Write what is wanted. One that cannot be written keeps none of the others back."""
    failures: list[BkpError] = []
    for write in wanted:
        try:
            write()
        except (OutputError, StateError, UnmailedError) as exc:
            failures.append(exc)
    for failure in failures[:-1]:
        complain(PROGRAM, failure)
    if failures:
        raise failures[-1]


def _print(report: Report, *, verbose: bool) -> None:
    from auditor.render.text import render_text

    def paint(text: str, key: str) -> str:
        return click.style(text, fg=_COLOURS[key], bold=key == "fail")

    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    print_text(render_text(report, width=width, paint=paint, verbose=verbose))
