"""`bkp-audit rules`: lint, list, show and test rules. None looks at the host, but for a configuration that is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditor.cli.common import read_config, rules_folder, rules_option
from auditor.exit_codes import AuditExit
from bkp.cli import examples, named_config
from bkp.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.rules.model import RuleSet


@click.group(epilog=examples("bkp-audit rules list", "bkp-audit rules show PRM-001"))
def rules() -> None:
    """Look at the rules themselves: lint, list, show, test."""


def _load(rules_dir: Path | None, *, scenarios: bool = False) -> RuleSet:
    from auditor.rules.folder import load_frameworks, load_rules

    named = named_config()
    folder = rules_folder(rules_dir, read_config(named) if named is not None and rules_dir is None else None)
    found = load_rules(folder, scenarios=scenarios)
    load_frameworks(folder, found)
    return found


@rules.command(epilog=examples("bkp-audit rules lint --rules ./rules"))
@rules_option
def lint(rules_dir: Path | None) -> int:
    """Check every rule file: form, names, types, citations, and that its scenarios hold and prove it both ways."""
    from auditor.rules.scenarios import lint as lint_rule

    found = _load(rules_dir, scenarios=True)
    complaints = [complaint for rule in found.rules for complaint in lint_rule(rule)]
    for complaint in complaints:
        click.echo(complaint)
    scenarios = sum(len(rule.tests) for rule in found.rules)
    click.echo(f"{len(found.rules)} rules, {scenarios} scenarios, {len(complaints)} complaints")
    return AuditExit.INVALID if complaints else AuditExit.CLEAN


@rules.command("list", epilog=examples("bkp-audit rules list", "bkp-audit rules list --json | jq '.[].id'"))
@rules_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_rules(rules_dir: Path | None, as_json: bool) -> int:
    """List the rules: id, severity, kind, title."""
    found = _load(rules_dir)
    if as_json:
        import msgspec

        rows = [
            {"id": rule.id, "severity": rule.severity, "kind": rule.kind, "title": rule.title, "every": rule.interval}
            for rule in found.rules
        ]
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=1).decode())
        return 0
    for rule in found.rules:
        click.echo(f"{rule.id:<8} {rule.severity:<8} {rule.kind:<9}  {rule.title}")
    return 0


@rules.command(epilog=examples("bkp-audit rules show PRM-001"))
@click.argument("rule_id", metavar="ID")
@rules_option
def show(rule_id: str, rules_dir: Path | None) -> int:
    """Show one rule: why it is there, what it asks, what to do, which clauses it supports."""
    import textwrap

    by_id = {rule.id: rule for rule in _load(rules_dir).rules}
    rule = by_id.get(rule_id.upper())
    if rule is None:
        remedy = did_you_mean(rule_id.upper(), by_id) or "`bkp-audit rules list` shows all of them"
        raise UsageError(f"no rule is called {rule_id[:40]!r}", remedy=remedy)
    click.echo(f"{rule.id}  {rule.title}\n{rule.severity}, {rule.kind}, every {rule.interval}, from {rule.source}\n")
    if rule.failure is not None:
        click.echo(f"If it fails: {rule.failure}\n")
    for head, text in (("Why", rule.rationale), ("Remedy", rule.remediation)):
        click.echo(textwrap.fill(f"{head}: {text}", 100) + "\n")
    for line in rule.commands:
        click.echo(f"    {line}")
    from auditor.rules.describe import describe_clauses, describe_rule

    click.echo("\n" + "\n".join(describe_rule(rule)))
    for framework, clauses in rule.refs.items():
        click.echo(f"evidence supporting {framework}: {describe_clauses(clauses)}")
    return 0


@rules.command(epilog=examples("bkp-audit rules test --rules ./rules"))
@rules_option
@click.option("-v", "--verbose", is_flag=True, help="Show the scenarios that hold, too.")
def test(rules_dir: Path | None, verbose: bool) -> int:
    """Judge the scenarios beside each rule and compare the verdicts with the wanted ones; -v shows each of them."""
    from auditor.rules.scenarios import run_scenarios

    results = [result for rule in _load(rules_dir, scenarios=True).rules for result in run_scenarios(rule)]
    broken = [result for result in results if result.problem is not None]
    for result in results if verbose else broken:
        click.echo(f"{'ok  ' if result.problem is None else 'FAIL'} {result.rule}  {result.scenario}")
        if result.problem is not None:
            click.echo(f"       {result.problem}")
    click.echo(f"{len(results)} scenarios, {len(broken)} with another verdict than wanted")
    return AuditExit.FINDING if broken else AuditExit.CLEAN
