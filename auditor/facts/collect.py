"""All facts of this host, in one pass. What cannot be had becomes an error fact; nothing is left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditor.attestation_file import FILE_NAME, read_attestations
from auditor.evidence import Evidence, Facts
from auditor.facts.borg import collect_repositories
from auditor.facts.builder import FactBuilder
from auditor.facts.history import collect_history
from auditor.facts.host import collect_config, collect_escrow, collect_host
from auditor.facts.permissions import collect_permissions
from auditor.facts.runs import collect_archives, collect_jobs, collect_mail, collect_restores
from auditor.facts.zfs import collect_zfs
from bkp.clock import local_zone
from bkp.liveness import is_alive
from bkp.state.store import StateStore
from bkp.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bkp.config.model import Config


def collect(config: Config, config_path: Path, now: datetime, say: Callable[[str], None]) -> Evidence:
    """Return the evidence of this host at `now`; `say` hears what is being looked at."""
    zone = local_zone()
    builder = FactBuilder(now)
    attestation_path = Path(config.audit.attestations or f"{config.paths.state}/{FILE_NAME}")
    say("records of runs")  # first: borg may take minutes, and a record written meanwhile would lie in the future
    seen = survey(config, StateStore(Path(config.paths.state)), lambda: now, zone, is_alive)
    say("host and configuration")
    collect_host(builder, config, zone)
    collect_config(builder, config)
    say("permissions")
    collect_permissions(builder, config, config_path, attestation_path)
    listings = collect_repositories(builder, config, zone, say)
    collect_zfs(builder, config, say)
    collect_jobs(builder, seen)
    collect_history(builder, seen)
    collect_archives(builder, config, seen, listings)
    collect_restores(builder, config, seen)
    collect_mail(builder, config.mail, seen)
    collect_escrow(builder, config)
    attestations = read_attestations(attestation_path)
    count, problem = len(attestations.records), attestations.problem
    values = {"records": count, "intact": problem is None, "problem": problem}
    builder.of("attestation").add("the attestation file", values)
    return Evidence(
        facts=Facts(builder.facts),
        host=str(builder.facts["host.name"].value),
        timezone=str(zone),
        collected_at=now,
        attestations=attestations,
        zone=zone,
    )
