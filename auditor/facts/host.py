"""Facts of the machine, of the configuration, and of what the configuration asks of retention and escrow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.jobs import JOBS

if TYPE_CHECKING:
    from datetime import tzinfo

    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config

OS_RELEASE = Path("/etc/os-release")


def collect_host(builder: FactBuilder, config: Config, zone: tzinfo) -> None:
    """Add host.*: uname(2), os-release(5), the account of this process."""
    uname = os.uname()
    values = {
        "name": config.host or uname.nodename,
        "os": _pretty_name(),
        "kernel": uname.release,
        "timezone": str(zone),
        "uid": os.geteuid(),
        "gid": os.getegid(),
    }
    builder.of("host").add("uname(2), os-release(5)", values)


def _pretty_name() -> str | None:
    try:
        lines = OS_RELEASE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition("=")[2].strip("\"'") for line in lines if line.startswith("PRETTY_NAME=")), None)


def collect_config(builder: FactBuilder, config: Config) -> None:
    """Add config.* and the policy part of retention.*."""
    jobs = [(name, job) for name, job in config.jobs.items() if config.targets(name)]
    locations = config.audit.escrow
    local = tuple(name for name, repository in config.repositories.items() if repository.path.startswith("/"))
    values = {
        "repositories": tuple(config.repositories),
        "local_repositories": local,
        "sources": tuple(config.sources),
        "pools": tuple(config.zpool(name) for name in config.pools),
        "replications": tuple(config.replications),
        "disks": tuple(config.disks),
        "scheduled_jobs": tuple(name for name, job in jobs if job.schedule is not None),
        "unscheduled_jobs": tuple(name for name, job in jobs if job.schedule is None and JOBS[name].schedule),
        "heartbeats": tuple(config.heartbeat.address_files),
        "escrow_locations": tuple(place.name for place in locations),
        "escrow_key_locations": tuple(place.name for place in locations if "key" in place.holds),
        "fail_on": str(config.audit.fail_on),
        "minimum_applicable": float(config.audit.minimum_applicable),
        "rules_folder": config.audit.rules is not None,
        "waiver_file": config.audit.waivers is not None,
    }
    builder.of("config").add("the configuration", values)
    for name, repository in config.repositories.items():
        kinds = ("daily", "weekly", "monthly", "yearly")
        policy = {f"keep_{kind}": getattr(repository.keep, kind) for kind in kinds}
        builder.of("retention", name).add(f"the configuration, repositories.{name}.keep", policy)


def collect_escrow(builder: FactBuilder, config: Config) -> None:
    """Add location.* and escrow.*: what each place must hold, and which key that is now.

    The keys are taken from borg.repo.* and zfs.key.*, so collect those first.
    """
    for place in config.audit.escrow:
        about = {
            "name": place.name,
            "description": place.description or None,
            "holds": tuple(str(item) for item in place.holds),
            "valid_for": place.valid_for.total_seconds(),
        }
        builder.of("location", place.name).add("the configuration, audit.escrow", about)
        for name in config.repositories:
            instance = f"{place.name}.{name}"
            values = {
                "location": place.name,
                "repository": name,
                "medium": place.medium or "other",
                "holds": tuple(str(item) for item in place.holds),
                "holds_key": "key" in place.holds,
                "holds_passphrase": "passphrase" in place.holds,
            }
            builder.of("escrow", instance).add("the configuration, audit.escrow", values)
            for field, origin in (
                ("repository_id", "id"),
                ("key_fingerprint", "key_fingerprint"),
                ("key_replaced", "key_replaced"),
            ):
                fact = builder.facts.get(f"borg.repo.{name}.{origin}")
                if fact is not None:
                    builder.facts[f"escrow.{instance}.{field}"] = fact
        for root in _roots(builder):
            group = builder.of("zfs.escrow", f"{place.name}.{root}")
            group.add(
                "the configuration, audit.escrow", {"location": place.name, "holds_zfs_key": "zfs-key" in place.holds}
            )
            for field, origin in (("root_guid", "guid"), ("key_fingerprint", "fingerprint")):
                fact = builder.facts.get(f"zfs.key.{root}.{origin}")
                if fact is not None:
                    builder.facts[f"zfs.escrow.{place.name}.{root}.{field}"] = fact


def _roots(builder: FactBuilder) -> tuple[str, ...]:
    fact = builder.facts.get("zfs.encryption_roots")
    return tuple(map(str, fact.value)) if fact is not None and isinstance(fact.value, tuple) else ()
