"""Rules are linted and tested by their scenarios; what does not hold is named with its line."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.loaded import loaded

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parents[3]


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([loaded("bkp-audit"), *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_rules_lint_complains_of_what_is_not_proven() -> None:
    done = audit("rules", "lint", "--rules", str(GOLDEN / "rules"))
    assert done.returncode == 2
    assert "no scenario proves pass" in done.stdout
    assert audit("rules", "lint").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("expect: pass", "expect: fail", "wanted fail, got pass"),
        ("expect: fail\n", "expect: pass\n", "wanted pass, got fail"),
        ("empty_passphrase_refused: true", "empty_passphrase: true", "unknown fact 'borg.repo.main.empty_passphrase'"),
        ("empty_passphrase_refused: true", "empty_passphrase_refused: 5", "found the number 5, wanted true or false"),
    ],
)
def test_rules_lint_judges_the_scenarios_and_names_the_line_of_one_that_does_not_hold(
    tmp_path: Path, old: str, new: str, wanted: str
) -> None:
    path = tmp_path / "ENC-002.yml"
    sound = (ROOT / "rules/encryption/ENC-002.yml").read_text()
    path.write_text(sound.replace(old, new, 1))
    shutil.copytree(ROOT / "rules/refs", tmp_path / "refs")
    done = audit("rules", "lint", "--rules", str(tmp_path))
    assert (done.returncode, done.stderr) == (2, "")
    line = 1 + sound[: sound.index(old)].count("\n")
    complaint = next(text for text in done.stdout.splitlines() if wanted in text)
    assert complaint.startswith(f"{path}:{line}:")
    assert ": scenario '" in complaint


def test_rules_test_ends_with_1_where_a_scenario_turns_out_otherwise(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    path = tmp_path / "rules/encryption/ENC-002.yml"
    path.write_text(path.read_text().replace("expect: pass", "expect: fail"))
    done = audit("rules", "test", "--rules", str(tmp_path / "rules"))
    assert done.returncode == 1
    assert "wanted fail, got pass" in done.stdout
    assert audit("rules", "test").returncode == 0


def test_a_scenario_with_an_unknown_fact_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    path = tmp_path / "rules/encryption/ENC-002.yml"
    path.write_text(path.read_text().replace("empty_passphrase_refused: true", "empty_passphrase: true"))
    assert "unknown fact 'borg.repo.main.empty_passphrase'" in audit_error(
        "rules", "test", "--rules", str(tmp_path / "rules")
    )


def audit_error(*arguments: str) -> str:
    done = audit(*arguments)
    assert done.returncode == 2
    return done.stderr
