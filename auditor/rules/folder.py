"""A folder of rules, one a file, in sub-folders by area; `refs/` beside them. No bad file is ever passed over."""

from __future__ import annotations

import difflib
import hashlib
import os
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from auditor.rules.compiler import parse_rule
from auditor.rules.model import Rule, RuleSet
from bkp.errors import InputFileError
from bkp.state.files import read_bytes
from bkp.state.reading import Missing, Unreadable
from bkp.yamlfile.loader import MAX_BYTES, load_yaml
from bkp.yamlfile.typed import as_mapping, convert

REFS = "refs"
MAX_RULES = 5000


class Framework(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One standard: its name, and the clauses that rules may cite; a title only where it is certain."""

    schema: int
    name: str
    clauses: dict[str, str | None]
    note: str | None = None


def load_rules(folder: Path) -> RuleSet:
    """Return every rule below `folder`, in the order of their ids. Raise `InputFileError` at the first bad one."""
    paths = _files(folder)
    if not paths:
        raise InputFileError(str(folder), None, "holds no rule", remedy="name a folder with rules, AREA/AREA-NNN.yml")
    rules: dict[str, Rule] = {}
    digest = hashlib.sha256()
    for path in paths:
        content = _read(path)
        rule = parse_rule(content, str(path))
        if rule.id in rules:
            line = _line_of_id(content)
            raise InputFileError(
                str(path), line, f"id {rule.id} is there twice, first in {rules[rule.id].source}", remedy="change one"
            )
        rules[rule.id] = rule
        digest.update(f"{rule.id} {len(content)}\n".encode() + content)
    return RuleSet(tuple(rules[key] for key in sorted(rules)), digest.hexdigest())


def load_frameworks(folder: Path, rules: RuleSet) -> dict[str, Framework]:
    """Return the frameworks in `folder`/refs by their short name; a clause that a rule cites must be in one of them."""
    frameworks = {}
    if (folder / REFS).is_dir():
        for path in _yaml_files(folder / REFS):
            document = load_yaml(_read(path), str(path))
            as_mapping(document)
            frameworks[path.stem] = convert(document, Framework, _no_hook)
    for rule in rules.rules:
        for name, clauses in rule.refs.items():
            if name not in frameworks:
                raise InputFileError(
                    rule.source, None, f"refs: unknown framework {name!r}", remedy=_nearest(name, list(frameworks))
                )
            for clause in clauses:
                if clause.clause not in frameworks[name].clauses:
                    message = f"refs.{name}: unknown clause {clause.clause!r}"
                    remedy = _nearest(clause.clause, list(frameworks[name].clauses))
                    raise InputFileError(rule.source, None, message, remedy=remedy)
    return frameworks


def _no_hook(kind: type, _value: Any) -> NoReturn:
    raise NotImplementedError(kind)


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known[:40]) or 'none'}"


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputFileError(str(folder), None, "is no folder of rules", remedy="name one with --rules")
    found = []
    for base, folders, _names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if Path(base) == folder and REFS in folders:
            folders.remove(REFS)
        found += _yaml_files(Path(base))
    if len(found) > MAX_RULES:
        raise InputFileError(str(folder), None, f"holds more than {MAX_RULES} rules")
    return found


def _yaml_files(folder: Path) -> list[Path]:
    """Return the YAML files of one folder. A file that only looks like one is an error, so that no rule gets lost."""
    found = []
    for entry in sorted(os.scandir(folder), key=lambda item: item.name):
        if entry.name.startswith(".") or entry.is_dir():
            continue
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  # a Path per file costs start-up time
        if suffix == ".yaml":
            raise InputFileError(entry.path, None, "wanted a name that ends in .yml", remedy="rename it")
        if suffix == ".yml":
            found.append(Path(entry.path))
    return found


def _read(path: Path) -> bytes:
    reading = read_bytes(path, MAX_BYTES)
    if isinstance(reading, Unreadable):
        raise InputFileError(str(path), None, reading.reason)
    if isinstance(reading, Missing):
        raise InputFileError(str(path), None, "is gone")
    return reading.value


def _line_of_id(content: bytes) -> int | None:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.startswith(b"id:"):
            return number
    return None
