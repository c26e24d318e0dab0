"""Facts of replication.*: what the newest pull recorded, and how the replica lies on the disks."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING

from auditor.facts.history import SOURCE as HISTORY
from auditor.facts.history import doubt
from bkp.errors import BkpError
from bkp.tools.zfs.client import Zfs

if TYPE_CHECKING:
    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config
    from bkp.survey import Survey

_RECORDED = ("newest_common_at", "lacking", "gate", "gate_tested_at")
_ASKED = ("encryption",)
_TIMEOUT_SECONDS = 20.0


def collect_replications(builder: FactBuilder, config: Config, survey: Survey) -> None:
    """Add what is configured, and what the newest pull recorded of it as it is configured now."""
    for name, settings in config.replications.items():
        facts, host = builder.of("replication", name), settings.remote.host
        values = {"source": settings.source, "target": settings.target, "raw": settings.raw}
        facts.add("the configuration", {**values, "source_is_here": is_here(host, config.host)})
        if (reason := doubt(survey)) is not None:
            facts.fail(HISTORY, reason, _RECORDED)
            continue
        synced = survey.past.synced.get(name)
        if synced is None or (synced.result.source, synced.result.target) != (settings.source, settings.target):
            facts.add(f"{HISTORY}: no pull has recorded anything", dict.fromkeys(_RECORDED))
            continue
        result = synced.result
        known = result.datasets is not None
        recorded = {
            "newest_common_at": result.newest_common_at,
            "lacking": result.lacking if known else None,
            "gate": result.gate,
            "gate_tested_at": result.gate_tested_at,
        }
        facts.add(HISTORY, recorded, at=synced.ended_at)


def collect_replicas(builder: FactBuilder, config: Config, zfs: Zfs | None = None) -> None:
    """Add whether each replica is encrypted, as zfs says now: `off` where any dataset of it is not."""
    zfs = zfs or Zfs(lambda _line: None, timeout=_TIMEOUT_SECONDS)
    for name, settings in config.replications.items():
        facts = builder.of("replication", name)
        try:
            found = zfs.properties(_ASKED, [settings.target], below=True)
        except BkpError as exc:
            facts.fail("zfs get", exc.message, _ASKED)
        else:
            own = [each for each in found if each.dataset == settings.target]
            told = next((each for each in found if each.value == "off"), own[0] if own else None)
            value = told.value if told is not None and told.value not in {"-", ""} else None
            facts.add(f"zfs get {told.dataset if told is not None else settings.target}", {"encryption": value})


def replicas_not_in_time(builder: FactBuilder, config: Config, reason: str) -> None:
    """Add the errors for what ZFS did not answer in time."""
    for name in config.replications:
        builder.of("replication", name).fail("zfs get", reason, _ASKED)


def is_here(host: str, own: str | None) -> bool:
    """Return whether a name is this server's own, as far as names tell: no name is looked up."""
    names = {each.casefold() for each in ("localhost", own or "", os.uname().nodename, socket.gethostname()) if each}
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        short = {each.partition(".")[0] for each in names}
        return host.casefold() in names | short
