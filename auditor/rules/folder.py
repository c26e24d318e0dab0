"""A folder of rules, one a file, in sub-folders by area; `refs/` beside them. No bad file is ever passed over."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from auditor.rules.compiler import parse_rule
from auditor.rules.model import Rule, RuleSet
from auditor.rules.place import complaint, read_input
from bkp.errors import InputFileError, did_you_mean
from bkp.yamlfile.typed import load_typed

REFS = "refs"
MAX_RULES = 5000


class Framework(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One standard: its name, and the clauses that rules may cite; a title only where it is certain."""

    schema: int
    name: str
    clauses: dict[str, str | None]
    note: str | None = None


def load_rules(folder: Path, *, scenarios: bool = False) -> RuleSet:
    """Return every rule below `folder`, in the order of their ids. Raise `InputFileError` at the first bad one.

    Their scenarios are left unread unless they are wanted: they are most of the text, and no audit asks for them.
    """
    paths = _files(folder)
    if not paths:
        raise InputFileError(str(folder), None, "holds no rule", remedy="name a folder with rules, AREA/AREA-NNN.yml")
    rules: dict[str, Rule] = {}
    digest = hashlib.sha256()
    for path in paths:
        content = read_input(path)
        rule = parse_rule(content, str(path), scenarios=scenarios)
        if rule.id in rules:
            line = _line_of_id(content)
            raise InputFileError(
                str(path), line, f"id {rule.id} is there twice, first in {rules[rule.id].source}", remedy="change one"
            )
        rules[rule.id] = rule
        digest.update(f"{rule.id} {len(content)}\n".encode() + content)
    return RuleSet(tuple(rules[key] for key in sorted(rules)), digest.hexdigest(), folder)


def rule_names(folder: Path) -> frozenset[str]:
    """Return the names of the rule files below `folder`, which are their rules' ids, without reading any."""
    return frozenset(path.stem for path in _files(folder))


def load_frameworks(folder: Path, rules: RuleSet) -> dict[str, Framework]:
    """Return the frameworks in `folder`/refs by their short name; a clause that a rule cites must be in one of them."""
    frameworks = {}
    there = any(entry.name == REFS for entry in _entries(folder))
    for path in _yaml_files(_entries(folder / REFS)) if there else ():
        _, frameworks[path.stem] = load_typed(read_input(path), str(path), Framework)
    for rule in rules.rules:
        for name, clauses in rule.refs.items():
            if name not in frameworks:
                remedy = _nearest(name, list(frameworks))
                raise complaint(rule, ("refs", name), f"refs: unknown framework {name!r}", at_key=True, remedy=remedy)
            for index, clause in enumerate(clauses):
                if clause.clause not in frameworks[name].clauses:
                    message = f"refs.{name}: unknown clause {clause.clause!r}"
                    remedy = _nearest(clause.clause, list(frameworks[name].clauses))
                    raise complaint(rule, ("refs", name, index), message, remedy=remedy)
    return frameworks


def _nearest(word: str, known: list[str]) -> str:
    return did_you_mean(word, known) or f"known: {', '.join(known[:40]) or 'none'}"


def _files(folder: Path) -> list[Path]:
    """Return every rule file, the files of a folder before those of its sub-folders. What cannot be entered raises."""
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        base = waiting.pop()
        entries = [entry for entry in _entries(base) if base != folder or entry.name != REFS]
        found += _yaml_files(entries)
        waiting += [Path(entry.path) for entry in reversed(entries) if _is_folder(entry)]
        if len(found) > MAX_RULES:
            raise InputFileError(str(folder), None, f"holds more than {MAX_RULES} rules", remedy="split the folder")
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, without hidden things, in order of names."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        raise InputFileError(str(folder), None, "is no folder of rules", remedy="name one with --rules") from None
    except OSError as exc:
        raise _closed(str(folder), exc) from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether rules are to be looked for below it. A link to a folder, or to nowhere, could hide some."""
    try:
        if entry.is_symlink() and (entry.is_dir() or not Path(entry.path).exists()):
            message = "is a symbolic link that may lead to rules, and links are not followed"
            raise InputFileError(entry.path, None, message, remedy="put the folder itself there, or remove the link")
        return entry.is_dir(follow_symlinks=False)
    except OSError as exc:
        raise _closed(entry.path, exc) from None


def _closed(path: str, exc: OSError) -> InputFileError:
    message = f"cannot be looked into: {exc.strerror}; rules in it would be passed over"
    return InputFileError(path, None, message, remedy="let this account read and enter it, or move it elsewhere")


def _yaml_files(entries: list[os.DirEntry[str]]) -> list[Path]:
    """Return the YAML files of one folder. A file that only looks like one is an error, so that no rule gets lost."""
    found = []
    for entry in entries:
        if _is_folder(entry):
            continue
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  # a Path per file costs start-up time
        if suffix == ".yaml":
            raise InputFileError(entry.path, None, "wanted a name that ends in .yml", remedy="rename it")
        if suffix == ".yml":
            found.append(Path(entry.path))
    return found


def _line_of_id(content: bytes) -> int | None:
    lines = enumerate(content.split(b"\n"), start=1)
    return next((number for number, line in lines if line.startswith(b"id:")), None)
