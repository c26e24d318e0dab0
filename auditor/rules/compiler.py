"""A rule file's text to a `Rule`: every fact name, operator and value is checked before anything is judged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from msgspec import UNSET

from auditor.catalogue import NAMESPACES, FactRef, FactSpec, FactType, UnknownFactError, namespace, resolve
from auditor.catalogue.lookup import EACH
from auditor.durations import IsoDuration, parse_iso_duration
from auditor.operators import OPERATORS, OperandError
from auditor.operators.values import describe, typed
from auditor.rules.model import Applicability, Check, Condition, Each, Group, Rule, Wanted
from auditor.rules.scenario_form import check_quotes, check_scenarios, without_scenarios
from auditor.rules.schema import AttestationWanted, Clause, ForEach, Node, OnMissing, Param, RuleFile
from bkp.errors import InputFileError, did_you_mean
from bkp.yamlfile.typed import load_typed

if TYPE_CHECKING:
    from bkp.yamlfile.loader import Document, Path

_GROUPS: tuple[Literal["all", "any", "none"], ...] = ("all", "any", "none")


def parse_rule(content: bytes | str, source: str, *, scenarios: bool = True) -> Rule:
    """Return the rule in `content`. Raise `InputFileError` naming file, line, column, found and wanted.

    Without `scenarios` the blocks `base` and `tests` are passed over where they stand clearly apart.
    """
    if not scenarios and (short := without_scenarios(content)) is not None:
        # What the short text cannot explain the whole one can: a cut in the wrong place must not be reported.
        with contextlib.suppress(InputFileError):
            return _parse(short, source)
    return _parse(content, source)


def _parse(content: bytes | str, source: str) -> Rule:
    return _Compiler(*load_typed(content, source, RuleFile)).rule()


class _Compiler:
    """Holds the document, for positions, and what conditions may refer to: parameters and the namespace at hand."""

    def __init__(self, document: Document, file: RuleFile) -> None:
        self._document = document
        self._file = file
        self._each: str | None = None
        self._used_params: set[str] = set()

    def rule(self) -> Rule:
        file = self._file
        self._check_kind()
        self._check_params()
        applies = None
        if file.applies_when is not None:
            applies = Applicability(self._node(file.applies_when, ("applies_when",)), file.applies_when.reason)
        each = self._for_each(file.for_each) if file.for_each else None
        check = self._node(file.check, ("check",)) if file.check else None
        attestation = self._attestation(file.attestation) if file.attestation else None
        check_scenarios(self._document, file)
        for name in file.params.keys() - self._used_params:
            self._fail(("params", name), f"parameter {name!r} is used by no condition", at_key=True)
        return Rule(
            id=file.id,
            title=file.title,
            failure=file.failure,
            severity=file.severity,
            kind=file.kind,
            rationale=file.rationale.strip(),
            remediation=file.remediation.text.strip(),
            commands=file.remediation.commands,
            every=None if file.every == "run" else self._duration(file.every, ("every",), ' or "run"'),
            check=check,
            source=self._document.source,
            applies_when=applies,
            each=each,
            max_age=self._duration(file.max_age, ("max_age",)) if file.max_age is not None else None,
            explain=tuple(self._shown(name, index) for index, name in enumerate(file.explain)),
            attestation=attestation,
            refs={framework: tuple(_clause(item) for item in items) for framework, items in file.refs.items()},
            tags=file.tags,
            base=file.base,
            tests=file.tests,
        )

    def _fail(self, path: Path, message: str, *, at_key: bool = False, remedy: str | None = None) -> NoReturn:
        raise self._document.error(path, message, at_key=at_key, remedy=remedy) from None

    def _check_kind(self) -> None:
        file = self._file
        wants = {"automated": (True, False), "attested": (False, True), "hybrid": (True, True)}[file.kind]
        for key, wanted, there in (
            ("check", wants[0], file.check is not None),
            ("attestation", wants[1], file.attestation is not None),
        ):
            if wanted and not there:
                remedy = f"add {key}, or change kind"
                self._fail(("kind",), f"kind: found {file.kind!r}, which wants {key}, and there is none", remedy=remedy)
            if there and not wanted:
                self._fail((key,), f"{key}: a rule of kind {file.kind!r} has none", at_key=True, remedy="change kind")

    def _check_params(self) -> None:
        for name, param in self._file.params.items():
            path: Path = ("params", name, "default")
            try:
                if param.type == "duration":
                    parse_iso_duration(param.default)
                else:
                    typed(FactSpec(f"params.{name}", FactType(param.type), ""), param.default)
            except OperandError as exc:
                self._fail(path, f"params.{name}.default: {exc}")
            except ValueError as exc:
                self._fail(path, f"params.{name}.default: found {describe(param.default)}, {exc}")
            if param.type == "mode":
                check_quotes(self._document, param.default, path)

    def _duration(self, text: str, path: Path, more: str = "") -> IsoDuration:
        try:
            return parse_iso_duration(text)
        except ValueError as exc:
            self._fail(path, f"{path[-1]}: found {describe(text)}, {exc}{more}")

    def _for_each(self, each: ForEach) -> Each:
        name = each.fact.removesuffix(f".{EACH}")
        space = namespace(name)
        if space is None or space.instance is None or name == each.fact:
            known = [f"{item.name}.{EACH}" for item in NAMESPACES if item.instance is not None]
            message = f"for_each.fact: found {describe(each.fact)}, wanted a list of facts"
            remedy = did_you_mean(each.fact, known, f"known: {', '.join(known)}")
            self._fail(("for_each", "fact"), message, remedy=remedy)
        if each.on_empty == "not_applicable" and each.reason is None:
            remedy = "say why none at all is no failure"
            self._fail(("for_each",), "for_each: on_empty not_applicable needs a reason", remedy=remedy)
        self._each = name
        where = self._node(each.where, ("for_each", "where")) if each.where else None
        return Each(name, where, each.on_empty, each.reason)

    def _node(self, node: Node, path: Path) -> Check:
        groups = [(kind, items) for kind in _GROUPS if (items := getattr(node, f"{kind}_")) is not None]
        if len(groups) + (node.fact is not None) != 1:
            found = " and ".join([*(["fact"] if node.fact is not None else []), *(kind for kind, _ in groups)])
            self._fail(path, f"found {found or 'none of them'}, wanted exactly one of fact, all, any, none")
        if not groups:
            return self._condition(node, path)
        kind, items = groups[0]
        for key in ("op", "param", "on_missing", "value"):
            if getattr(node, key) is not (UNSET if key == "value" else None):
                self._fail((*path, key), f"{key} belongs to a condition with fact, not to a group", at_key=True)
        if not items:
            self._fail((*path, kind), f"{kind}: an empty list: it would evaluate nothing", remedy="add a condition")
        return Group(kind, tuple(self._node(item, (*path, kind, index)) for index, item in enumerate(items)))

    def _condition(self, node: Node, path: Path) -> Condition:
        assert node.fact is not None  # noqa: S101  # _node has seen to it
        fact = self._fact(node.fact, (*path, "fact"))
        if node.op is None:
            self._fail(path, "op is missing", remedy=f"add one of {', '.join(sorted(OPERATORS))}")
        operator = OPERATORS.get(node.op)
        if operator is None:
            remedy = did_you_mean(node.op, OPERATORS, f"known: {', '.join(sorted(OPERATORS))}")
            self._fail((*path, "op"), f"unknown operator {describe(node.op)}", remedy=remedy)
        if fact.spec.type not in operator.form.types:
            usable = sorted(name for name, known in OPERATORS.items() if fact.spec.type in known.form.types)
            message = f"{operator.name} does not take {fact.spec.name}, which is of type {fact.spec.type}"
            self._fail((*path, "op"), message, remedy=f"operators for it: {', '.join(usable)}")
        raw, at = self._raw_value(node, path, wanted=operator.form.takes)
        if operator.reference:
            return self._reference(fact, operator.name, raw, at, node.on_missing or self._file.on_missing)
        try:
            operand = operator.form.parse(fact.spec, raw)
        except OperandError as exc:
            self._fail(at, f"{operator.name}: {exc}")
        if fact.spec.type is FactType.MODE and at[-1] == "value":
            check_quotes(self._document, raw, at)
        return Condition(fact, operator, operand, node.on_missing or self._file.on_missing)

    def _reference(self, fact: FactRef, op: str, raw: Any, at: Path, on_missing: OnMissing) -> Condition:
        if not isinstance(raw, str):
            self._fail(at, f"{op}: found {describe(raw)}, wanted the name of a fact")
        other = self._fact(raw, at)
        if other.spec.type is not fact.spec.type:
            kinds = f"{fact.spec.name} is of type {fact.spec.type}, {other.spec.name} of type {other.spec.type}"
            self._fail(at, f"{op}: {kinds}: they are never the same")
        return Condition(fact, OPERATORS[op], None, on_missing, other)

    def _raw_value(self, node: Node, path: Path, wanted: str | None) -> tuple[Any, Path]:
        if node.param is not None and node.value is not UNSET:
            self._fail((*path, "param"), "found both value and param, wanted one of them", at_key=True)
        if node.param is not None:
            param = self._param(node.param, (*path, "param"))
            self._used_params.add(node.param)
            return param.default, (*path, "param")
        if wanted is None:
            if node.value is not UNSET:
                self._fail((*path, "value"), f"{node.op} takes no value", at_key=True, remedy="remove it")
            return None, path
        if node.value is UNSET:
            self._fail(path, f"value is missing: {node.op} takes {wanted}", remedy="add value, or param")
        return node.value, (*path, "value")

    def _param(self, name: str, path: Path) -> Param:
        if name not in self._file.params:
            known = ", ".join(self._file.params) or "none"
            self._fail(path, f"unknown parameter {describe(name)}", remedy=f"known below params: {known}")
        return self._file.params[name]

    def _fact(self, name: str, path: Path) -> FactRef:
        try:
            ref = resolve(name)
        except UnknownFactError as exc:
            self._fail(path, str(exc), remedy=exc.remedy or "`bkp-audit facts --list` shows all of them")
        if ref.instance == EACH and ref.namespace != self._each:
            remedy = f"add for_each with fact: {ref.namespace}.{EACH}, or name one instance"
            if self._each:
                remedy = f"the rule's for_each is over {self._each}.{EACH}; use a fact of it, or name one instance"
            self._fail(path, f"{name} is one fact per {ref.namespace}, and nothing says which", remedy=remedy)
        return ref

    def _attestation(self, wanted: AttestationWanted) -> Wanted:
        base: Path = ("attestation",)
        if wanted.subject is not None and wanted.subject_from is not None:
            self._fail((*base, "subject"), "found both subject and subject_from, wanted one of them", at_key=True)
        if wanted.level != "seen" and wanted.bind_to is None:
            message = f"level {wanted.level} is a comparison with something; bind_to must name that fact"
            self._fail((*base, "level"), message)
        return Wanted(
            topic=wanted.topic,
            question=wanted.question.strip(),
            level=wanted.level,
            valid_for=self._duration(wanted.valid_for, (*base, "valid_for")),
            subject=wanted.subject,
            subject_from=self._text_fact(wanted.subject_from, (*base, "subject_from")),
            repository=self._text_fact(wanted.repository, (*base, "repository")),
            bind_to=self._fact(wanted.bind_to, (*base, "bind_to")) if wanted.bind_to is not None else None,
            location=wanted.location,
            whole_term=wanted.whole_term,
        )

    def _shown(self, name: str, index: int) -> FactRef:
        ref = self._fact(name, ("explain", index))
        if ref.spec.private:
            self._fail(("explain", index), f"{name} is private: its value never enters a report", remedy="remove it")
        return ref

    def _text_fact(self, name: str | None, path: Path) -> FactRef | None:
        if name is None:
            return None
        ref = self._fact(name, path)
        if ref.spec.type is not FactType.TEXT:
            self._fail(path, f"{name} is of type {ref.spec.type}, wanted a fact of type text")
        return ref


def _clause(item: str | Clause) -> Clause:
    return Clause(clause=item) if isinstance(item, str) else item
