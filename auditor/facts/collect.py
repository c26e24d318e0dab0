"""All facts of this host, in one pass. What cannot be had becomes an error fact; nothing is left out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.evidence import Evidence, Facts
from auditor.facts import borg
from auditor.facts.builder import FactBuilder
from auditor.facts.history import collect_history
from auditor.facts.host import collect_config, collect_escrow, collect_host
from auditor.facts.observed import collect_observed
from auditor.facts.permissions import collect_permissions, not_in_time, places
from auditor.facts.replications import collect_replicas, collect_replications, replicas_not_in_time
from auditor.facts.reports import collect_reports
from auditor.facts.runs import collect_archives, collect_jobs, collect_mail, collect_restores
from auditor.facts.schedules import collect_schedules, collect_timers
from auditor.facts.side_by_side import LIMIT_SECONDS, Probe, gather
from auditor.facts.zfs import collect_zfs, zfs_not_in_time
from bkp.clock import local_zone
from bkp.liveness import is_alive
from bkp.state.store import StateStore
from bkp.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bkp.config.model import Config


def collect(
    config: Config,
    config_path: Path,
    rules: Path,
    now: datetime,
    say: Callable[[str], None],
    limit: float = LIMIT_SECONDS,
) -> Evidence:
    """Return the evidence of this host at `now`; `say` hears what is being looked at.

    Whatever could hang is asked side by side; what has not answered within `limit` seconds is an error.
    """
    zone = local_zone()
    builder = FactBuilder(now)
    attestation_path = Path(config.attestations_path)
    say("records of runs")  # first: borg may take minutes, and a record written meanwhile would lie in the future
    seen = survey(config, StateStore(Path(config.paths.state)), lambda: now, zone, is_alive)
    say("host and configuration")
    collect_host(builder, config, zone)
    collect_config(builder, config)
    collect_schedules(builder, config, zone)
    answers = borg.Answers()
    trusted = places(config, config_path, attestation_path, rules)
    timers = partial(collect_timers, config=config, zone=zone)
    probes = [
        *borg.probes(config, answers, say),
        Probe(partial(collect_zfs, config=config, say=say), zfs_not_in_time),
        Probe(partial(collect_replicas, config=config), lambda own, why: replicas_not_in_time(own, config, why)),
        Probe(partial(collect_permissions, wanted=trusted), lambda own, why: not_in_time(own, trusted, why)),
        Probe(timers, lambda own, why: own.of("host").fail("sd_booted(3)", why, ("systemd",))),
    ]
    gather(builder, probes, limit)
    borg.conclude(builder, config, zone, answers, seen)
    collect_jobs(builder, seen)
    collect_history(builder, seen)
    collect_archives(builder, config, seen, answers.listings)
    collect_restores(builder, config, seen)
    collect_replications(builder, config, seen)
    collect_mail(builder, config.mail, seen)
    successes = {(each.job, each.target): each.success for each in seen.standings}
    collect_observed(builder, config, seen.observations, successes)
    collect_escrow(builder, config)
    collect_reports(builder, Path(config.paths.state))
    attestations = seen.attestations
    count, problem = len(attestations.records) + len(attestations.elsewhere), attestations.problem
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
