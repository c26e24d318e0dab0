"""Run one benchmark, or all: `python -m benchmarks [NAME [OPTIONS]]`."""

from __future__ import annotations

import importlib
import sys

NAMES = ("startup", "imports", "nightly", "exporter_scrape", "audit_rules", "audit_live", "probe")


def run(argv: list[str]) -> None:
    if argv and argv[0] not in NAMES:
        raise SystemExit(f"no benchmark {argv[0]!r}; there are: {', '.join(NAMES)}")
    for name in argv[:1] or NAMES:
        importlib.import_module(f"benchmarks.{name}").main(argv[1:])


run(sys.argv[1:])
