"""The form of scenarios, checked when a rule is read: modes in quotes, and `without` against `base`.

Names and values of their facts are checked when scenarios are judged, which an audit does not do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from auditor.catalogue import FactType, UnknownFactError, resolve
from auditor.operators.values import MODE_FORM
from bkp.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.rules.schema import RuleFile, Scenario
    from bkp.yamlfile.loader import Document, Path


_BLOCK = re.compile(rb"^(?:base|tests):[ \t]*(?:#.*)?\r?\n(?:(?:[ \t#].*)?\r?\n|- .*\n)*", re.MULTILINE)
_ANY = re.compile(rb"^(base|tests)\b", re.MULTILINE)


def without_scenarios(content: bytes | str) -> bytes | None:
    """Return the rule's text with empty lines in place of its blocks `base` and `tests`; None where it has none.

    Taken away are blocks of indented lines below a key that begins a line. A text that writes them otherwise, or more
    than once, is left whole: None.
    """
    text = content.encode() if isinstance(content, str) else content
    blocks = list(_BLOCK.finditer(text))
    names = [match[1] for match in _ANY.finditer(text)]
    if not blocks or len(blocks) != len(names) or len(set(names)) != len(names):
        return None
    return _BLOCK.sub(lambda block: b"\n" * block[0].count(b"\n"), text)


def check_scenarios(document: Document, file: RuleFile) -> None:
    """Raise `InputFileError` with the line of the first thing that is wrong."""
    if file.base and not file.tests:
        raise document.error(("base",), "base: no scenario starts from it", at_key=True, remedy="add tests")
    _check_modes(document, file.base, ("base",))
    for index, scenario in enumerate(file.tests):
        _check_modes(document, scenario.facts, ("tests", index, "facts"))
        _check_without(document, file.base, scenario, ("tests", index))


def check_quotes(document: Document, value: Any, path: Path) -> None:
    """Raise `InputFileError` with the line if the value at `path` is a mode without quotes.

    Our reader takes `0600` for text, others for an octal or a decimal number.
    """
    if isinstance(value, str) and MODE_FORM.fullmatch(value) and not document.is_quoted(path):
        message = f"found {value} without quotes, of which YAML makes a number elsewhere"
        raise document.error(path, message, remedy=f'write it in quotes: "{value}"')


def _check_modes(document: Document, facts: Mapping[str, Any], above: Path) -> None:
    for name, raw in facts.items():
        within = isinstance(raw, dict) and "value" in raw
        value = raw["value"] if within else raw
        if isinstance(value, str) and MODE_FORM.fullmatch(value) and _is_mode(name):
            path: Path = (*above, name)
            check_quotes(document, value, (*path, "value") if within else path)


def _is_mode(name: str) -> bool:
    try:
        return resolve(name).spec.type is FactType.MODE
    except UnknownFactError:
        return False


def _check_without(document: Document, base: Mapping[str, Any], scenario: Scenario, above: Path) -> None:
    if scenario.without and not base:
        message = f"scenario {scenario.name!r}: without, and there is no base to take from"
        raise document.error((*above, "without"), message, at_key=True, remedy="remove it, or add base to the rule")
    if isinstance(scenario.without, str):
        return
    for number, name in enumerate(scenario.without):
        path: Path = (*above, "without", number)
        if name not in base:
            remedy = did_you_mean(name, base) or "name a fact of base, or remove it"
            raise document.error(path, f"scenario {scenario.name!r}: {name!r} is no fact of base", remedy=remedy)
        if name in scenario.facts:
            message = f"scenario {scenario.name!r}: {name!r} stands in without and in facts"
            raise document.error(path, message, remedy="what stands in facts replaces that of base: remove it here")
