"""A configuration and a host, for tests of the systemd units."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.config import parse_config
from runner.units.facts import UnitFacts
from runner.units.render import render

if TYPE_CHECKING:
    from bkp.config import Config

PROGRAMS = str(Path(sys.executable).parent)
FACTS = UnitFacts(programs=PROGRAMS, config="/etc/bkp/config.yml")
DATASET = "dataset: tank/Secure/backup"
OWN_FILES = '["pp:/var/lib/bkp", "pp:/var/log/borg", "pp:/run/lock/bkp"]'  # what a source that holds them leaves out
WATCHED = (
    "pools: {tank: {disks: [one]}}\n"
    "disks: {one: {path: /dev/disk/by-id/ata-ONE_1}, two: {path: /dev/disk/by-id/nvme-TWO_2}}\n"
)
JOBS = ("borg-backup", "borg-check", "borg-check-verify", "borg-drill", "bkp-audit")


def a_config(extra: str = "", *, source: str = DATASET, repository: str = "/tank/Secure/Borg/backup-repo") -> Config:
    """Return the described system's configuration, its source a dataset; `extra` are further top-level lines."""
    mail = "" if "mail:" in extra else "mail: {to: alerts@example.com}\n"
    return parse_config(
        f"schema: 1\nrepositories: {{main: {{path: {json.dumps(repository)}, sources: [data]}}}}\n"
        f"sources: {{data: {{{source}}}}}\n{mail}{extra}"
    )


def unit(name: str, config: Config | None = None, facts: UnitFacts = FACTS) -> str:
    """Return one rendered unit."""
    return render(config or a_config(), facts)[f"systemd/system/{name}"]


def settings(text: str) -> dict[str, list[str]]:
    """Return the settings of a unit, each with all its values in order."""
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[", " ")):
            found.setdefault(key, []).append(value)
    return found
