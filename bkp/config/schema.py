"""The configuration's JSON Schema: editors complete keys, show what they mean and mark mistakes while they are typed.

It is made from the model, so it cannot know another key than the program does. What only the program can judge (that a
source exists below `sources`, that a schedule is one) is left to `bkp-run config check`.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from bkp.config.describe import ANY, KeyPath, descriptions
from bkp.config.model import Config
from bkp.config.values import value_schema
from bkp.json_schema import json_schema


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the configuration file."""
    schema = bare_schema()
    prose = descriptions()
    for path, name in sections():
        for key, field in schema["$defs"][name]["properties"].items():
            _describe(field, prose.get((*path, key), ""))
    return schema


def bare_schema() -> dict[str, Any]:
    """Return the schema without the prose: what the types alone say."""
    title = "Configuration of bkp-run, bkp-exporter and bkp-audit"
    return json_schema(title, _mirror(Config, {}), hook=value_schema)


def sections() -> list[tuple[KeyPath, str]]:
    """Return every section of the configuration, from the top down: its path and the name of its type."""
    found: list[tuple[KeyPath, str]] = []

    def visit(path: KeyPath, kind: type[msgspec.Struct]) -> None:
        found.append((path, kind.__name__))
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            for inner, below in _structs_in(hints[field.name], (*path, field.encode_name)):
                visit(below, inner)

    visit((), Config)
    return found


def _structs_in(hint: Any, path: KeyPath) -> list[tuple[type[msgspec.Struct], KeyPath]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [(hint, path)]
    below = (*path, ANY) if get_origin(hint) in {dict, tuple} else path
    return [found for argument in get_args(hint) for found in _structs_in(argument, below)]


def _describe(field: dict[str, Any], prose: str) -> None:
    form = field.get("description")
    field["description"] = f"{prose} ({form.rstrip('.')})" if prose and form else prose or form or ""


def _mirror(hint: Any, done: dict[type, type]) -> Any:
    """Return the type with defaults that JSON can say: msgspec encodes no default of a type of our own."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        if hint not in done:
            done[hint] = _mirror_struct(hint, done)
        return done[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_mirror(arguments[0], done), *arguments[1:])]
    if origin in {Union, types.UnionType}:
        return Union[tuple(_mirror(argument, done) for argument in arguments)]  # noqa: UP007  # made at run time
    if origin in {tuple, dict}:
        return origin[tuple(_mirror(argument, done) for argument in arguments)]
    return hint


def _mirror_struct(kind: type[msgspec.Struct], done: dict[type, type]) -> type[msgspec.Struct]:
    hints = get_type_hints(kind, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        mirrored = _mirror(hints[field.name], done)
        if field.required:
            fields.append((field.name, mirrored))
        elif field.default_factory is not msgspec.NODEFAULT:  # an empty section
            fields.append((field.name, mirrored, msgspec.field(default_factory=field.default_factory)))
        elif isinstance(field.default, msgspec.Struct):  # its own fields say their defaults
            fields.append((field.name, mirrored, msgspec.field(default_factory=dict)))
        else:
            fields.append((field.name, mirrored, plain_default(field.default)))
    return msgspec.defstruct(
        kind.__name__,
        fields,
        namespace={"__doc__": kind.__doc__},
        kw_only=True,
        forbid_unknown_fields=True,
        rename={field.name: field.encode_name for field in msgspec.structs.fields(kind)},
    )


def plain_default(value: Any) -> Any:
    """Return a default as it would be written in the file."""
    if isinstance(value, tuple):
        return tuple(plain_default(item) for item in value)
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        return {field.encode_name: plain_default(getattr(value, field.name)) for field in fields}
    return value if value is None or type(value) in {bool, int, float, str} else str(value)
