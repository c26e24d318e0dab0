"""Facts of replication.*: what the newest pull recorded, how the replica lies on the disks, and who may change it."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING

from auditor.facts.history import SOURCE as HISTORY
from auditor.facts.history import doubt
from bkp.errors import BkpError
from bkp.pulls import recorded_pull, replaced_since
from bkp.tools.zfs.client import Zfs

if TYPE_CHECKING:
    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config
    from bkp.survey import Survey
    from bkp.tools.zfs.delegations import Grant

_RECORDED = ("newest_common_at", "lacking", "gate", "gate_tested_at")
_ASKED = ("encryption", "rights")
# What zfs-allow(8) calls what neither changes a dataset nor destroys a snapshot. A right that is not here may do so.
_READING = frozenset({"send", "send:raw", "hold", "diff", "bookmark", "userused", "groupused", "projectused"})
_TIMEOUT_SECONDS = 20.0


def collect_replications(builder: FactBuilder, config: Config, survey: Survey) -> None:
    """Add what is configured, and what the newest pull recorded of it as it is configured now."""
    add_configured(builder, config)
    for name in config.replications:
        facts = builder.of("replication", name)
        if (reason := doubt(survey)) is not None:
            facts.fail(HISTORY, reason, _RECORDED)
            continue
        synced = recorded_pull(config, survey, name)
        replaced = replaced_since(survey, synced) if synced is not None else "no pull has recorded anything"
        if synced is None or replaced is not None:
            facts.add(f"{HISTORY}: {replaced}", dict.fromkeys(_RECORDED))
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


def add_configured(builder: FactBuilder, config: Config) -> None:
    """Add what the configuration says of each."""
    for name, settings in config.replications.items():
        values = {
            "source": settings.source,
            "target": settings.target,
            "raw": settings.raw,
            "source_is_here": is_here(settings.remote.host, config.host),
        }
        builder.of("replication", name).add("the configuration", values)


def collect_replicas(builder: FactBuilder, config: Config, zfs: Zfs | None = None) -> None:
    """Add what zfs says now of each replica: whether it is encrypted, and who could destroy its snapshots."""
    zfs = zfs or Zfs(lambda _line: None, timeout=_TIMEOUT_SECONDS)
    for name, settings in config.replications.items():
        facts = builder.of("replication", name)
        try:
            found = zfs.datasets(settings.target)
        except BkpError as exc:
            facts.fail("zfs list", exc.message, _ASKED)
            continue
        told = next((each for each in found if each.encryption == "off"), found[0])
        value = told.encryption if told.encryption not in {"-", ""} else None
        facts.add(f"zfs list {told.name}", {"encryption": value})
        try:
            grants = [grant for each in found for grant in zfs.grants(each.name)]
        except BkpError as exc:
            facts.fail("zfs allow", exc.message, ("rights",))
        else:
            facts.add("zfs allow", {"rights": tuple(dict.fromkeys(filter(None, map(_danger, grants))))})


def _danger(grant: Grant) -> str | None:
    """Return what in a grant could change the replica, None where it is root's or can only read."""
    rights = grant.rights - _READING
    return f"{grant.who} on {grant.on}: {', '.join(sorted(rights))}" if rights and grant.who != "user root" else None


def replicas_not_in_time(builder: FactBuilder, config: Config, reason: str) -> None:
    """Add the errors for what ZFS did not answer in time."""
    for name in config.replications:
        builder.of("replication", name).fail("zfs list, zfs allow", reason, _ASKED)


def is_here(host: str, own: str | None) -> bool:
    """Return whether a name is this server's own, as far as names tell: no name is looked up."""
    names = {each.casefold() for each in ("localhost", own or "", os.uname().nodename, socket.gethostname()) if each}
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        short = {each.partition(".")[0] for each in names}
        return host.casefold() in names | short
