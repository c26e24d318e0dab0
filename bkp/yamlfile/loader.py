"""YAML text to plain data, with the position of every key and value and none of YAML 1.1's silent conversions.

`off` stays "off", `0600` stays "0600", `12:30` stays "12:30" and a date stays text: only null, true, false, decimal
numbers without a leading zero and strings exist. Duplicate keys, tags, merge keys, more than one document and alias
bombs are errors that name the line.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import yaml

from bkp.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

Path = tuple[str | int, ...]

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_ALIASES = 50
MAX_NODES = 200_000

_RISKY_DEPTH = 150
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML 1.2 calls printable, without the byte order mark and what YAML 1.1 alone takes for the end of a line: an
# editor counts lines otherwise, and so would our errors. The rest may stand in quotes, written as an escape.
_NOT_ALLOWED = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
_BLOCK_PREFIX = re.compile(r"^[ \t?:-]+", re.MULTILINE)


class Position(NamedTuple):
    """Line and column of a character, both counted from 1."""

    line: int
    column: int


class _Plain(StrEnum):
    """The tags of what nobody tagged. A tag that stands in the file is text, never a member of this class."""

    NULL = "null"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STR = "str"
    SEQ = "seq"
    MAP = "map"


class _Loader(_Base):  # type: ignore[misc]  # the C loader carries no types
    """The safe loader with its implicit types reduced to those that surprise nobody."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own protocol

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
        """Return the tag of a node that has none, as PyYAML does, without path resolvers, which are not used."""
        if kind is yaml.ScalarNode:
            if implicit[0]:
                for tag, pattern in self.yaml_implicit_resolvers.get(value[:1], ()):
                    if pattern.match(value):
                        return tag
            return _Plain.STR
        return _Plain.SEQ if kind is yaml.SequenceNode else _Plain.MAP


_Loader.add_implicit_resolver(_Plain.NULL, re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])
_Loader.add_implicit_resolver(_Plain.BOOL, re.compile(r"(?:true|false)\Z"), ["t", "f"])
_Loader.add_implicit_resolver(_Plain.INT, re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z"), list("-0123456789"))
_Loader.add_implicit_resolver(_Plain.FLOAT, re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}\Z"), list("-0123456789"))


class Document:
    """One YAML document: its plain data, and where in the file each part of it stands."""

    def __init__(self, data: Any, source: str, root: yaml.Node | None, error: type[InputFileError]) -> None:
        self.data = data
        self.source = source
        self._root = root
        self._error = error

    def is_quoted(self, path: Sequence[str | int]) -> bool:
        """Return whether the text at `path` stands in quotes or as a block: no reader of YAML makes a number of it."""
        nodes = self._nodes(path)
        return len(nodes) == len(path) + 1 and bool(getattr(nodes[-1][1], "style", None))

    def _nodes(self, path: Sequence[str | int]) -> list[tuple[yaml.Node | None, yaml.Node]]:
        """Return key and value of the document and of each step of `path`, as far as they are there."""
        if self._root is None:
            return []
        found: list[tuple[yaml.Node | None, yaml.Node]] = [(None, self._root)]
        for step in path:
            value = found[-1][1].value
            if isinstance(found[-1][1], yaml.MappingNode):
                pair = next(((key, node) for key, node in value if key.value == step), None)
            elif isinstance(found[-1][1], yaml.SequenceNode) and isinstance(step, int) and step < len(value):
                pair = (None, value[step])
            else:
                pair = None
            if pair is None:
                break
            found.append(pair)
        return found

    def error(
        self, path: Sequence[str | int], message: str, *, at_key: bool = False, remedy: str | None = None
    ) -> InputFileError:
        """Return an error that names this file and the position of the value at `path`, or of the key that ends it.

        What is not in the file has the position of what it is missing from.
        """
        line, column = Position(1, 1)
        if nodes := self._nodes(path):
            key, value = nodes[-1]
            line, column = _position(key if at_key and key is not None and len(nodes) == len(path) + 1 else value)
        return self._error(self.source, line, message, column=column, remedy=remedy)


def load_yaml(content: bytes | str, source: str, *, error: type[InputFileError] = InputFileError) -> Document:
    """Return the one document in `content`; raise `error` with the line of the first thing that is wrong."""
    text = _decode(content, source, error)
    try:
        if _may_be_deep(text):
            _check_depth(text, source, error)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except UnicodeDecodeError:  # a percent escape in a tag or directive
        raise error(source, None, "a tag or directive is not valid UTF-8", remedy="remove it") from None
    except yaml.YAMLError as exc:
        raise _syntax_error(exc, text, source, error) from None
    return _Builder(source, error, aliases="&" in text).document(node)


def _decode(content: bytes | str, source: str, error: type[InputFileError]) -> str:
    if len(content) > MAX_BYTES:
        raise error(source, None, f"larger than {MAX_BYTES >> 20} MiB", remedy="split it or remove what is not needed")
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            line = exc.object.count(b"\n", 0, exc.start) + 1
            raise error(source, line, "not UTF-8 text", remedy="save the file as UTF-8") from None
    if wrong := _NOT_ALLOWED.search(content):
        line = content.count("\n", 0, wrong.start()) + 1
        column = wrong.start() - content.rfind("\n", 0, wrong.start())
        message = f"the character U+{ord(wrong[0]):04X} is not allowed"
        raise error(source, line, message, column=column, remedy="remove it, or write it as an escape in double quotes")
    return content


def _may_be_deep(text: str) -> bool:
    """Return whether the text may nest so deep that composing it, which recurses in C, could exhaust the stack.

    Cheap and never wrong in saying no: brackets are counted wherever they stand, and block collections need either a
    column or an indicator (`- - -`) of their own for each level.
    """
    depth = deepest = 0
    for char in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if char in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    indent = max((len(prefix) for prefix in _BLOCK_PREFIX.findall(text)), default=0)
    return deepest + indent > _RISKY_DEPTH


def _check_depth(text: str, source: str, error: type[InputFileError]) -> None:
    """Walk the parser's events, which needs no recursion, and raise `error` at the first that nests too deep."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH + 1:
            line, column = _position(event)
            raise error(source, line, _TOO_DEEP, column=column)


_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"


def _syntax_error(exc: yaml.YAMLError, text: str, source: str, error: type[InputFileError]) -> InputFileError:
    mark = getattr(exc, "problem_mark", None) or getattr(exc, "context_mark", None)
    problem = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "cannot be read"
    context = getattr(exc, "context", None)
    message = f"not valid YAML: {context + ': ' if context else ''}{problem}"
    if mark is None:
        return error(source, None, message)
    line = text.splitlines()[mark.line : mark.line + 1]
    tab = bool(line) and line[0][mark.column : mark.column + 1] == "\t"
    remedy = "indent with spaces, never with tabs" if tab else None
    return error(source, mark.line + 1, message, column=mark.column + 1, remedy=remedy)


class _Builder:
    """Turns a node tree into data; the only state is counters and the nodes being built.

    Positions are looked up in the tree where an error needs one: 500 rules have 40,000 nodes.
    """

    def __init__(self, source: str, error: type[InputFileError], *, aliases: bool) -> None:
        self._source = source
        self._error = error
        self._may_alias = aliases
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._aliases = 0
        self._nodes = 0

    def document(self, node: yaml.Node | None) -> Document:
        return Document(None if node is None else self._build(node, 0), self._source, node, self._error)

    def _failure(self, node: yaml.Node, message: str, remedy: str | None = None) -> InputFileError:
        line, column = _position(node)
        return self._error(self._source, line, message, column=column, remedy=remedy)

    def _build(self, node: yaml.Node, depth: int) -> Any:
        self._nodes += 1
        if self._may_alias or self._nodes > MAX_NODES or depth > MAX_DEPTH:
            self._guard(node, depth)
        if type(node.tag) is not _Plain:
            raise self._tagged(node)
        if type(node) is yaml.ScalarNode:
            return node.value if node.tag is _Plain.STR else self._scalar(node)
        self._open.add(id(node))
        try:
            if type(node) is yaml.SequenceNode:
                return [self._build(child, depth + 1) for child in node.value]
            return self._mapping(cast("yaml.MappingNode", node), depth + 1)
        finally:
            self._open.discard(id(node))

    def _guard(self, node: yaml.Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._failure(node, _TOO_DEEP)
        if id(node) in self._open:
            raise self._failure(node, "an alias (*name) that contains itself")
        self._aliases += id(node) in self._seen
        self._seen.add(id(node))
        if self._aliases > MAX_ALIASES:
            raise self._failure(node, f"more than {MAX_ALIASES} aliases (*name)", "write the values out")
        if self._nodes > MAX_NODES:
            raise self._failure(node, f"more than {MAX_NODES} values", "split the file or remove what is not needed")

    def _tagged(self, node: yaml.Node) -> InputFileError:
        tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
        return self._failure(node, f"tag {tag!r} is not allowed", "remove the tag")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if type(key_node.tag) is not _Plain:
                raise self._tagged(key_node)
            if key_node.tag is not _Plain.STR:
                raise self._failure(key_node, "a key must be text", "put it in quotes")
            key = key_node.value
            if key == "<<":
                raise self._failure(key_node, "merge keys (<<) are not allowed", "write the keys out")
            if key in result:
                first = next(_position(other).line for other, _ in node.value if other.value == key)
                message = f"key {key!r} is there twice (first on line {first})"
                raise self._failure(key_node, message, "remove one of them")
            result[key] = self._build(value_node, depth)
        return result

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        text = str(node.value)
        if node.tag is _Plain.NULL:
            return None
        if node.tag is _Plain.BOOL:
            return text == "true"
        return int(text) if node.tag is _Plain.INT else float(text) if node.tag is _Plain.FLOAT else text


def _position(node: yaml.Node | yaml.Event) -> Position:
    mark: Any = node.start_mark
    return Position(mark.line + 1, mark.column + 1)
