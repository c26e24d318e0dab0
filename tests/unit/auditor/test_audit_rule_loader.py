"""A rule that is not sound ends the run with one error that names the place, what was found, and what is wanted."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auditor.rules.compiler import parse_rule
from auditor.rules.folder import load_frameworks, load_rules
from bkp.errors import ExitCode, InputFileError
from tests.support.audit_world import rule, rule_text
from tests.support.privilege import close_to_us, without_privilege

PROGRAM = str(Path(sys.executable).parent / "bkp-audit")

MODE_CHECK = {"fact": "file.main.passphrase.mode", "op": "mode_at_most"}
ATTESTED: dict[str, Any] = {
    "kind": "attested",
    "check": None,
    "attestation": {"topic": "borg-key", "question": "Is the copy the same as the key?", "valid_for": "P90D"},
}


def refusal(text: str) -> str:
    with pytest.raises(InputFileError) as caught:
        parse_rule(text, "KEY-001.yml")
    assert caught.value.exit_code is ExitCode.USAGE
    message = str(caught.value)
    assert message.startswith("KEY-001.yml:"), message
    assert "Traceback" not in message
    return message


def test_a_sound_rule_is_read() -> None:
    assert rule().id == "TST-999"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"severty": "high"}, ["unknown key severty", "did you mean 'severity'"]),
        ({"title": None}, ["key title is missing"]),
        ({"schema": 2}, ["schema", "found the number 2"]),
        ({"schema": "1"}, ["schema", "found '1'"]),
        ({"id": "tst-1"}, ["id: found 'tst-1'", "AREA-NNN"]),
        ({"severity": "severe"}, ["severity: found 'severe'", "critical"]),
        ({"kind": "manual"}, ["kind: found 'manual'", "automated"]),
        ({"title": "short"}, ["title: found 'short'"]),
        ({"title": "x" * 81}, ["title", "80"]),
        ({"every": "1m"}, ["every: found '1m'", "ISO 8601", "a minute is PT1M"]),
        ({"every": "P"}, ["every", "ISO 8601"]),
        ({"max_age": "P0D"}, ["max_age", "a duration of nothing"]),
        ({"max_age": "26h"}, ["max_age", "ISO 8601"]),
        ({"check": None}, ["wants check, and there is none"]),
        ({"check": {"all": []}}, ["an empty list: it would evaluate nothing"]),
        ({"check": {"any": [{"none": []}]}}, ["would evaluate nothing"]),
        ({"check": {}}, ["found none of them, wanted exactly one of fact, all, any, none"]),
        ({"check": {"fact": "mail.when", "all": []}}, ["found fact and all, wanted exactly one"]),
        ({"check": {"fact": "mail.wen", "op": "exists"}}, ["unknown fact 'mail.wen'", "did you mean 'mail.when'"]),
        ({"check": {"fact": "mail.when", "op": "equals", "value": "never"}}, ["unknown operator 'equals'", "known:"]),
        ({"check": {"fact": "mail.when", "op": "match", "value": "x"}}, ["did you mean 'matches'"]),
        ({"check": {"fact": "mail.when", "op": "eq"}}, ["value is missing: eq takes"]),
        ({"check": {"fact": "mail.when"}}, ["op is missing", "younger_than"]),
        ({"check": {"fact": "mail.when", "op": "exists", "value": 1}}, ["exists takes no value"]),
        ({"check": {"fact": "mail.when", "op": "eq", "value": 5}}, ["found the number 5", "mail.when is of type text"]),
        ({"check": {"fact": "mail.when", "op": "eq", "value": "nevr"}}, ["one of problems, always, never", "'never'"]),
        ({"check": {"fact": "mail.when", "op": "ge", "value": 5}}, ["ge does not take mail.when", "operators for it"]),
        ({"check": {"fact": "mail.when", "op": "in", "value": []}}, ["wanted a list of at least one value"]),
        ({"check": {"fact": "mail.when", "op": "matches", "value": "("}}, ["is no regular expression"]),
        ({"check": MODE_CHECK | {"value": 600}}, ["found the number 600", "wanted a mode in quotes", '"0600"']),
        ({"check": MODE_CHECK | {"value": "600"}}, ["four octal digits"]),
        ({"check": MODE_CHECK | {"value": "0980"}}, ["four octal digits"]),
        ({"check": {"fact": "host.uid", "op": "eq", "value": True}}, ["found true", "a whole number"]),
        ({"check": {"fact": "host.uid", "op": "same_as", "value": "host.name"}}, ["they are never the same"]),
        ({"check": {"fact": "host.uid", "op": "same_as", "value": "host.uidd"}}, ["unknown fact", "host.uid"]),
        ({"check": {"fact": "host.name", "op": "lt_fact", "value": "host.os"}}, ["lt_fact does not take host.name"]),
        ({"check": {"fact": "config.sources", "op": "count", "value": {"least": 1}}}, ["a mapping of min and max"]),
        ({"check": {"fact": "config.sources", "op": "count", "value": {"min": 3, "max": 1}}}, ["min and max"]),
        ({"check": {"fact": "borg.repo.*.opens", "op": "exists"}}, ["one fact per borg.repo", "add for_each"]),
        ({"check": {"all": [{"fact": "mail.when", "op": "exists"}], "op": "eq"}}, ["op belongs to a condition"]),
        ({"for_each": {"fact": "borg.repos.*"}}, ["for_each.fact", "did you mean 'borg.repo.*'"]),
        ({"for_each": {"fact": "mail.*"}}, ["wanted a list of facts"]),
        ({"for_each": {"fact": "job.*", "on_empty": "pass"}}, ["on_empty", "not_applicable"]),
        ({"for_each": {"fact": "job.*", "on_empty": "not_applicable"}}, ["needs a reason"]),
        ({"applies_when": {"fact": "mail.when", "op": "exists"}}, ["key applies_when.reason is missing"]),
        (
            {"applies_when": {"reason": "no reason", "fact": "borg.repo.*.id", "op": "exists"}},
            ["nothing says which"],
        ),
        ({"params": {"limit": {"type": "integer", "default": 1, "doc": "a limit"}}}, ["used by no condition"]),
        ({"check": {"fact": "host.uid", "op": "eq", "param": "limit"}}, ["unknown parameter 'limit'"]),
        ({"explain": ["file.main.passphrase.path"]}, ["is private"]),
        (ATTESTED | {"kind": "automated"}, ["wants check"]),
        ({"kind": "attested", "check": None}, ["wants attestation"]),
        ({"kind": "attested"}, ["a rule of kind 'attested' has none"]),
        ({"kind": "hybrid"}, ["wants attestation"]),
        ({"attestation": ATTESTED["attestation"]}, ["a rule of kind 'automated' has none"]),
        (ATTESTED | {"attestation": ATTESTED["attestation"] | {"level": "matched"}}, ["bind_to must name"]),
        (ATTESTED | {"attestation": ATTESTED["attestation"] | {"valid_for": "90d"}}, ["valid_for", "ISO 8601"]),
    ],
)
def test_an_unsound_rule_is_refused_with_the_reason(changes: dict[str, Any], wanted: list[str]) -> None:
    message = refusal(rule_text(**changes))
    for part in wanted:
        assert part in message


def test_an_error_names_line_and_column_of_the_value() -> None:
    text = rule_text().replace('"op": "eq"', '"op": "qe"')
    line = 1 + text[: text.index('"qe"')].count("\n")
    column = text.splitlines()[line - 1].index('"qe"') + 1
    assert refusal(text).startswith(f"KEY-001.yml:{line}:{column}: unknown operator 'qe'")


def test_an_unquoted_mode_is_refused_though_yaml_would_make_a_number_of_it() -> None:
    text = rule_text(check=MODE_CHECK | {"value": "HERE"}).replace('"HERE"', "600")
    assert 'wanted a mode in quotes, four octal digits: "0600"' in refusal(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"check": MODE_CHECK | {"value": "0600"}},
        {
            "check": MODE_CHECK | {"param": "most"},
            "params": {"most": {"type": "mode", "default": "0600", "doc": "the most that is allowed"}},
        },
        {"tests": [{"name": "open", "facts": {"file.main.passphrase.mode": "0600"}, "expect": "fail"}]},
        {"tests": [{"name": "open", "facts": {"file.main.passphrase.mode": {"value": "0600"}}, "expect": "fail"}]},
        {"base": {"file.main.passphrase.mode": "0600"}, "tests": [{"name": "open", "expect": "fail"}]},
    ],
    ids=["value", "param", "scenario", "scenario with more", "base"],
)
def test_a_mode_needs_its_quotes_though_our_own_reader_would_do_without(changes: dict[str, Any]) -> None:
    quoted = rule_text(**changes)
    parse_rule(quoted, "KEY-001.yml")
    plain = quoted.replace('"0600"', "0600")
    message = refusal(plain)
    line = 1 + plain[: plain.index("0600")].count("\n")
    assert message.startswith(f"KEY-001.yml:{line}:")
    assert "found 0600 without quotes" in message
    assert 'remedy: write it in quotes: "0600"' in message
    parse_rule(quoted.replace('"0600"', "'0600'"), "KEY-001.yml")


def test_a_duplicate_key_is_refused() -> None:
    text = rule_text().replace('"every": "run"', '"every": "run", "every": "P1D"')
    assert "key 'every' is there twice" in refusal(text)


@pytest.mark.parametrize("text", ["", "[]", "- 1", "just text", "\t"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    refusal(text or "# nothing\n")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_one_bad_rule_ends_the_reading_of_all(tmp_path: Path) -> None:
    write(tmp_path, "a/AAA-001.yml", rule_text(id="AAA-001"))
    bad = write(tmp_path, "b/BBB-001.yml", rule_text(id="BBB-001", sevrity="x"))
    with pytest.raises(InputFileError, match="unknown key sevrity") as caught:
        load_rules(tmp_path)
    assert str(bad) in str(caught.value)


def test_an_id_that_is_there_twice_is_refused_with_both_files(tmp_path: Path) -> None:
    first = write(tmp_path, "a/AAA-001.yml", rule_text(id="AAA-001"))
    second = write(tmp_path, "b/AAA-001.yml", "# again\n" + rule_text(id="AAA-001"))
    with pytest.raises(InputFileError, match="is there twice") as caught:
        load_rules(tmp_path)
    assert str(first) in str(caught.value)
    assert str(caught.value).startswith(str(second))


@pytest.mark.parametrize("name", ["AAA-001.yaml", "AAA-001.YAML"])
def test_a_file_that_would_be_overlooked_by_its_name_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, "BBB-001.yml", rule_text(id="BBB-001"))
    write(tmp_path, name, rule_text(id="AAA-001"))
    with pytest.raises(InputFileError, match=r"ends in \.yml"):
        load_rules(tmp_path)


def test_a_folder_without_a_rule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="holds no rule"):
        load_rules(tmp_path)
    with pytest.raises(InputFileError, match="is no folder of rules"):
        load_rules(tmp_path / "missing")


def test_a_rule_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside", rule_text())
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/TST-999.yml").symlink_to(outside)
    with pytest.raises(InputFileError, match="is a symbolic link"):
        load_rules(tmp_path / "rules")


def test_the_digest_changes_with_any_rule(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA-001.yml", rule_text(id="AAA-001"))
    before = load_rules(tmp_path).digest
    path.write_text(path.read_text() + "\n# a remark\n")
    assert load_rules(tmp_path).digest != before


@pytest.mark.parametrize(
    ("refs", "wanted"),
    [
        ({"cis": ["11.1"]}, "unknown framework 'cis'"),
        ({"cis-8.1": ["11.9"]}, "unknown clause '11.9'"),
        ({"cis-8.1": ["11.2"]}, None),
    ],
)
def test_a_clause_must_be_listed_below_refs(tmp_path: Path, refs: dict[str, list[str]], wanted: str | None) -> None:
    write(tmp_path, "AAA-001.yml", rule_text(id="AAA-001", refs=refs))
    write(tmp_path, "refs/cis-8.1.yml", 'schema: 1\nname: CIS\nclauses:\n  "11.2": Perform Automated Backups\n')
    rules = load_rules(tmp_path)
    if wanted is None:
        assert load_frameworks(tmp_path, rules)["cis-8.1"].clauses["11.2"] == "Perform Automated Backups"
        return
    with pytest.raises(InputFileError, match=wanted):
        load_frameworks(tmp_path, rules)


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_linked_folder_is_refused_because_its_rules_would_be_passed_over(tmp_path: Path, target: str) -> None:
    write(tmp_path, "elsewhere/BBB-001.yml", rule_text(id="BBB-001"))
    write(tmp_path, "rules/a/AAA-001.yml", rule_text(id="AAA-001"))
    (tmp_path / "rules/b").symlink_to(tmp_path / target)
    with pytest.raises(InputFileError, match="rules/b: is a symbolic link that may lead to rules"):
        load_rules(tmp_path / "rules")


def test_a_link_to_the_folder_of_rules_or_to_its_clauses_is_followed(tmp_path: Path) -> None:
    write(tmp_path, "rules/a/AAA-001.yml", rule_text(id="AAA-001", refs={"cis-8.1": ["11.2"]}))
    write(tmp_path, "clauses/cis-8.1.yml", 'schema: 1\nname: CIS\nclauses: {"11.2": null}\n')
    (tmp_path / "rules/refs").symlink_to(tmp_path / "clauses")
    (tmp_path / "link").symlink_to("rules")
    rules = load_rules(tmp_path / "link")
    assert [rule.id for rule in rules.rules] == ["AAA-001"]
    assert list(load_frameworks(tmp_path / "link", rules)) == ["cis-8.1"]


@pytest.mark.parametrize("closed", ["rules/b", "rules/refs", "rules"])
def test_a_folder_that_the_account_cannot_enter_ends_the_run_and_is_named(tmp_path: Path, closed: str) -> None:
    write(tmp_path, "rules/a/AAA-001.yml", rule_text(id="AAA-001"))
    write(tmp_path, "rules/b/BBB-001.yml", rule_text(id="BBB-001"))
    (tmp_path / "rules/refs").mkdir()
    call = without_privilege(PROGRAM, "rules", "list", "--rules", str(tmp_path / "rules"))
    assert subprocess.run(call, capture_output=True, check=False).stdout.count(b"\n") == 2
    close_to_us(tmp_path / closed)
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    (tmp_path / closed).chmod(0o755)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"bkp-audit: error: {tmp_path / closed}: cannot be looked into: Permission denied")
    assert "remedy: let this account read and enter it" in done.stderr


def test_a_clause_that_is_not_listed_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA-001.yml", rule_text(id="AAA-001", refs={"cis-8.1": ["11.2", "11.9"], "bsi": ["1"]}))
    lines = path.read_text().splitlines()
    write(tmp_path, "refs/cis-8.1.yml", 'schema: 1\nname: CIS\nclauses: {"11.2": null}\n')
    with pytest.raises(InputFileError) as caught:
        load_frameworks(tmp_path, load_rules(tmp_path))
    line = 1 + next(number for number, text in enumerate(lines) if '"11.9"' in text)
    assert str(caught.value).startswith(f"{path}:{line}:")
    path.write_text(path.read_text().replace("11.9", "11.2"))
    with pytest.raises(InputFileError, match="unknown framework 'bsi'") as caught:
        load_frameworks(tmp_path, load_rules(tmp_path))
    line = 1 + next(number for number, text in enumerate(lines) if '"bsi"' in text)
    assert str(caught.value).startswith(f"{path}:{line}:")
