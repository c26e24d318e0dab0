"""The JSON Schemas of the state files, for whoever reads them with other programs.

`python -m bkp.state.schema docs/state` writes one file for each kind of record.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bkp.state.records import DOCUMENTED, SCHEMA_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def state_schemas() -> dict[str, bytes]:
    """Return the content of every schema file by its name."""
    return {f"{name}.schema.json": _schema(name, kind) for name, kind in DOCUMENTED.items()}


def _schema(name: str, kind: type[msgspec.Struct]) -> bytes:
    head = {"$schema": DIALECT, "title": f"bkp state: {name}, version {SCHEMA_VERSION}"}
    return msgspec.json.format(msgspec.json.encode(head | msgspec.json.schema(kind)), indent=2) + b"\n"


def write_schemas(folder: Path) -> None:
    """Write every schema into `folder`, and remove those of kinds that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = state_schemas()
    for stale in folder.glob("*.schema.json"):
        if stale.name not in wanted:
            stale.unlink()
    for name, content in wanted.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
