"""60 and 500 rules judged from saved facts, the whole process: goal 0.2 s and 0.4 s of processor time, 40 MiB.

The rules are made from the shipped ones, scenarios and all, each with an id of its own. Each set holds one planted
fault, a passphrase file of mode 0644, which the audit must find: a set that judges nothing would be fast, too.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

from auditor.catalogue import NAMESPACES, FactType
from auditor.rules.folder import load_rules
from benchmarks.measure import cost, median, repeat, table
from benchmarks.site import bin_dir

RULES = Path(__file__).resolve().parents[1] / "rules"
AT = "2026-01-31T12:00:00Z"
GOALS = {60: 0.2, 500: 0.4}
SAMPLE = {
    FactType.TEXT: "text",
    FactType.INTEGER: 7,
    FactType.NUMBER: 1.0,
    FactType.BOOLEAN: True,
    FactType.TIME: "2026-01-31T03:00:00Z",
    FactType.DURATION: 5.0,
    FactType.MODE: "0600",
    FactType.FINGERPRINT: "1" * 64,
    FactType.TEXT_LIST: ["text"],
}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks audit_rules", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args(argv).runs
    program = str(bin_dir() / "bkp-audit")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = folder / "facts.json"
        facts.write_text(json.dumps(saved_facts()))
        for count, goal in GOALS.items():
            rules = folder / f"rules-{count}"
            write_rules(rules, count)
            for more in ([], ["--json", "/dev/null"], ["--html", "/dev/null"]):
                command = [program, "--facts", str(facts), "--rules", str(rules), "--at", AT, *more]
                costs = repeat(runs, lambda command=command: cost(command))  # type: ignore[misc]
                if any(each.code != 1 for each in costs):
                    raise SystemExit(f"the planted fault was not found: exit codes {[each.code for each in costs]}")
                rows.append(
                    [
                        str(count),
                        " ".join(["text", *more[:1]]),
                        f"{median(costs, 'wall'):.3f}",
                        f"{median(costs, 'cpu'):.3f}",
                        f"{median(costs, 'peak'):.1f}",
                        f"{goal} s CPU, 40 MiB" if not more else "",
                    ]
                )
    header = ["rules", "output", "wall s", "CPU s", "peak MiB", "goal"]
    table(f"Audit of saved facts, median of {runs} runs", header, rows)


def saved_facts() -> dict[str, object]:
    """Return facts for one instance of everything that rules ask about, with the planted fault."""
    facts: dict[str, object] = {}
    for space in NAMESPACES:
        if space.name == "audit":
            continue
        for spec in space.fields.values():
            value = spec.values[0] if spec.values else SAMPLE[spec.type]
            facts[spec.name.replace("*", "main")] = value
    facts["file.main.role"] = "passphrase"
    facts["file.main.mode"] = "0644"
    return {
        "schema": 1,
        "program": "benchmark",
        "host": "benchmark",
        "timezone": "UTC",
        "collected_at": AT,
        "facts": {name: {"value": value, "source": "benchmark", "collected_at": AT} for name, value in facts.items()},
    }


def write_rules(folder: Path, count: int) -> None:
    """Write `count` rules into `folder`, made in turn from the shipped ones."""
    shipped = [Path(rule.source) for rule in load_rules(RULES).rules]
    areas: dict[str, int] = {}
    (folder / "refs").mkdir(parents=True)
    for path in (RULES / "refs").glob("*.yml"):
        (folder / "refs" / path.name).write_bytes(path.read_bytes())
    for number in range(count):
        source = shipped[number % len(shipped)]
        area = source.stem.partition("-")[0]
        areas[area] = areas.get(area, 0) + 1
        name = f"{area}-{areas[area]:03d}"
        text = re.sub(r"(?m)^id: .*$", f"id: {name}", source.read_text(encoding="utf-8"), count=1)
        (folder / source.parent.name).mkdir(exist_ok=True)
        (folder / source.parent.name / f"{name}.yml").write_text(text, encoding="utf-8")
