"""How an entry of the catalogue is written down: a namespace, and one line for each fact of it."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.catalogue.model import FactSpec, FactType, Namespace

T = FactType

Field = tuple[str, FactType, str] | tuple[str, FactType, str, Mapping[str, object]]


def space(name: str, doc: str, source: str, *fields: Field, instance: str | None = None) -> Namespace:
    """Return a namespace. A field is name, type and meaning, and what else `FactSpec` takes: unit, values and so on."""
    prefix = f"{name}.*" if instance else name
    specs = {}
    for field, kind, text, *more in fields:
        specs[field] = FactSpec(f"{prefix}.{field}", kind, text, **(more[0] if more else {}))  # type: ignore[arg-type]
    return Namespace(name, doc, source, specs, instance)
