"""Plain data to typed records, and msgspec's complaints to one sentence with file, line, key, found and wanted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from bkp import decoding
from bkp.errors import InputFileError, did_you_mean
from bkp.yamlfile.loader import Document, load_yaml

if TYPE_CHECKING:
    from bkp.yamlfile.loader import Path

T = TypeVar("T")
DecHook = Callable[[type, Any], Any] | None

_WHERE = re.compile(r"(?P<key>`key` in )?`(?P<path>\$.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_EXPECTED = re.compile(
    r"Expected `(?P<wanted>[^`]+)`(?P<limit> [<>]=? \S+| of length .*)?(?P<regex> matching regex .*)?", re.DOTALL
)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")

_PLAIN_KEY = re.compile(r"[^\W]([\w.@/-]{0,80}\w)?")
_LIMITS = {" of length >= 1": " with at least one entry"}
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a mapping (key: value)",
    "array": "a list",
    "null": "nothing",
}


def load_typed(
    content: bytes | str,
    source: str,
    kind: type[T],
    dec_hook: DecHook = None,
    *,
    error: type[InputFileError] = InputFileError,
) -> tuple[Document, T]:
    """Return the YAML in `content` as a document and as `kind`, a record.

    Raise `error` that names `source`, the line, the key, what was found and what is wanted.
    """
    document = load_yaml(content, source, error=error)
    if not isinstance(document.data, dict):
        found = _describe(document.data)
        raise document.error((), f"found {found}, wanted a mapping (key: value)")
    try:
        return document, decoding.convert(document.data, kind, dec_hook=dec_hook)
    except msgspec.ValidationError as exc:
        problem = _locate(document.data, kind, dec_hook, str(exc))
    raise _explain(document, kind, problem) from None


class _Problem(NamedTuple):
    """One complaint of msgspec and the path it is about; `of_key` where the key that ends the path is itself wrong."""

    complaint: str
    path: Path
    of_key: bool


def _locate(data: Any, kind: Any, dec_hook: DecHook, message: str) -> _Problem:
    """Return the complaint and its exact path.

    msgspec writes `[...]` for any key of a mapping. Which key it was is found by converting again with only one key
    left at that place.
    """
    problem = _split(message)
    while "..." in problem.path:
        at = problem.path.index("...")
        above = problem.path[:at]
        for key in _keys_at(data, above):
            try:
                decoding.convert(_with_only(data, above, key), kind, dec_hook=dec_hook)
            except msgspec.ValidationError as exc:
                again = _split(str(exc))
                if again.path[: at + 1] == (*above, "..."):
                    problem = again._replace(path=(*above, key, *again.path[at + 1 :]))
                    break
        else:
            return problem._replace(path=above, of_key=False)
    return problem


def _split(message: str) -> _Problem:
    # msgspec's own words come last: a key or value that imitates them stands before.
    what, _, where = message.rpartition(" - at ")
    match = _WHERE.fullmatch(where)
    if match is None:
        return _Problem(message, (), of_key=False)
    steps = _STEP.findall(match["path"])
    path = tuple(name or (index if index == "..." else int(index)) for name, index in steps)
    return _Problem(what, (*path, "...") if match["key"] else path, bool(match["key"]))


def _keys_at(data: Any, path: Path) -> list[str]:
    found = _value_at(data, path)
    return list(found) if isinstance(found, dict) else []


def _with_only(data: Any, path: Path, key: str) -> Any:
    if not path:
        return {key: data[key]}
    head, rest = path[0], path[1:]
    copy: Any = list(data) if isinstance(data, list) else dict(data)
    copy[head] = _with_only(data[head], rest, key)
    return copy


def _explain(document: Document, kind: Any, problem: _Problem) -> InputFileError:
    complaint, path, of_key = problem
    if match := _UNKNOWN.fullmatch(complaint):
        field = match["field"]
        known = known_keys(kind, path)
        remedy = f"known keys here: {', '.join(sorted(known))}" if known else None
        message = f"unknown key {_dotted((*path, field))}"
        return document.error((*path, field), message, at_key=True, remedy=did_you_mean(field, known, remedy))
    if match := _MISSING.fullmatch(complaint):
        place = f"add it below {_dotted(path)}" if path else "add it at the top level"
        return document.error(path, f"key {_dotted((*path, match['field']))} is missing", remedy=place)
    value = path[-1] if of_key else _value_at(document.data, path)
    place = _dotted(path[:-1] if of_key else path)
    found = f"found {'the key ' if of_key else ''}{_describe(value)}"
    remedy = None
    if match := _EXPECTED.match(complaint):
        wanted = " or ".join(_KINDS.get(part.strip(), part.strip()) for part in match["wanted"].split("|"))
        limit = _LIMITS.get(match["limit"] or "", match["limit"] or "")
        sentence = f"{found}, wanted {_description(kind, path, of_key) if match['regex'] else wanted}{limit}"
    elif complaint.startswith("Invalid enum value"):
        choices = _choices(kind, path)
        sentence = f"{found}, wanted one of {', '.join(choices)}"
        remedy = did_you_mean(str(value), choices)
    elif isinstance(value, dict):  # a record's own check, which says itself what it found
        sentence = complaint
    else:
        sentence = f"{found}, {complaint[:1].lower()}{complaint[1:]}"
    return document.error(path, f"{place}: {sentence}", at_key=of_key, remedy=remedy)


def _dotted(path: Path) -> str:
    if not path:
        return "the top level"
    text = ""
    for step in path:
        name = step if isinstance(step, int) or _PLAIN_KEY.fullmatch(step) else _quote(step)
        text += f"[{name}]" if isinstance(step, int) else f".{name}" if text else str(name)
    return text


def _quote(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _value_at(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return _quote(value)
    return "a list" if isinstance(value, list) else "a mapping"


def _description(kind: Any, path: Path, of_key: bool) -> str:
    """Return what the type says of its own form, for a text that does not match its pattern."""
    import msgspec.inspect as inspect  # only wanted once something is wrong

    info = _info_at(kind, path[:-1])
    if isinstance(info, inspect.StructType):
        info = next((field.type for field in info.fields if field.encode_name == path[-1]), None)
    elif isinstance(info, inspect.DictType):
        info = info.key_type if of_key else info.value_type
    else:
        info = getattr(info, "item_type", None)
    while isinstance(info, inspect.UnionType):
        info = _some(info)
    schema = getattr(info, "extra_json_schema", None) or {}
    pattern = getattr(getattr(info, "type", info), "pattern", None)
    return str(schema.get("description") or f"text that matches {pattern}")


def _some(union: Any) -> Any:
    """Return the first type of a union that is not None."""
    import msgspec.inspect as inspect  # only wanted once something is wrong

    return next((each for each in union.types if not isinstance(each, inspect.NoneType)), union.types[0])


def _choices(kind: Any, path: Path) -> list[str]:
    info = _info_at(kind, path)
    values = list(getattr(info, "values", ())) or [member.value for member in getattr(info, "cls", ())]
    return [str(value) for value in values]


def known_keys(kind: Any, path: Path) -> list[str]:
    """Return the keys that the record at `path` inside `kind` may have; empty where any key may stand."""
    return [field.encode_name for field in getattr(_info_at(kind, path), "fields", ())]


def _info_at(kind: Any, path: Path) -> Any:
    """Return msgspec's description of the type at `path`, looking through optional types, mappings and lists."""
    import msgspec.inspect as inspect  # only wanted once something is wrong

    info: Any = inspect.type_info(kind)
    for step in (*path, None):
        while isinstance(info, inspect.UnionType | inspect.Metadata):
            info = _some(info) if isinstance(info, inspect.UnionType) else info.type
        if step is None:
            break
        if isinstance(info, inspect.StructType):
            info = next((field.type for field in info.fields if field.encode_name == step), None)
        elif isinstance(info, inspect.DictType):
            info = info.value_type
        else:
            info = getattr(info, "item_type", None)
    return info
