"""Configuration and facts to unit files: a pure function. The templates are in the shipped folder `systemd`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bkp.mail.outbox import FOLDER as OUTBOX
from bkp.observations import PROBE_EVERY
from bkp.resources import data_dir
from bkp.state.watch import WATCH_EVERY
from runner.following import FOLLOW_EVERY
from runner.jobs.registry import outliving, runner_jobs
from runner.jobs.repository import borg_folders
from runner.sources.dataset import BUSY_SECONDS
from runner.units import quoting, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.calendar import Schedule
    from bkp.config.model import Config
    from runner.units.facts import UnitFacts
    from runner.units.sandbox import Sandbox

UNITS, USERS, FOLDERS = "systemd/system", "sysusers.d", "tmpfiles.d"
MARK = "# Written by bkp-run units from "
FAILED = "bkp-unit-failed@.service"
EXPORTER = "bkp-exporter.service"
PROBE = "bkp-probe"
WATCH = "bkp-watch"
FOLLOW = "bkp-follow"

# Ended by bkp-run itself within this time (seconds), besides the mail's: borg's grace, and what waits for the history.
_GRACE = 60 + 60
# The probe ends by itself in less; seconds.
_PROBE_LIMIT = int(PROBE_EVERY.total_seconds()) - 10
# A watch that hangs is a unit that failed, which is mailed: it must not keep the next one from looking for ever.
_WATCH_LIMIT = "10min"
_BOOT_SAFE = ("/run/", "/var/", "/root/", "/etc/")


@dataclass(frozen=True)
class _Unit:
    name: str
    description: str
    words: list[str]
    schedule: Schedule | None
    box: Sandbox
    limit: str = "infinity"
    after_a_look: bool = False  # of the probe: what it saw is judged with its age


def render(config: Config, facts: UnitFacts) -> dict[str, str]:
    """Return every file by its path below /etc: units, the exporter's account, the folders."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(data_dir("systemd"))
    environment = Environment(  # noqa: S701  # unit files are no HTML
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"word": quoting.word, "plain": quoting.plain, "glob": quoting.glob}
    shared: dict[str, Any] = {"mark": f"{MARK}{facts.config}", "config": config, "facts": facts}

    def filled(template: str, **values: Any) -> str:
        return environment.get_template(template).render(shared | values)

    found: dict[str, str] = {}
    for unit in _units(config, facts):
        found[f"{UNITS}/{unit.name}.service"] = filled(
            "job.service.j2", unit=unit, command=quoting.command(*unit.words), box=unit.box, stop=_stop_seconds(config)
        )
        if unit.schedule is not None:
            found[f"{UNITS}/{unit.name}.timer"] = filled("job.timer.j2", unit=unit)
    if config.pools or config.disks:
        look = quoting.command(facts.program("bkp-run"), "--config", facts.config, "probe", "--quiet", "--unit")
        found[f"{UNITS}/{PROBE}.service"] = filled(
            "probe.service.j2", command=look, box=sandbox.of_probe(config, facts), limit=_PROBE_LIMIT
        )
        found[f"{UNITS}/{PROBE}.timer"] = filled("probe.timer.j2", every=int(PROBE_EVERY.total_seconds()))
        found[f"{UNITS}/{FOLLOW}.timer"] = filled("follow.timer.j2", every=int(FOLLOW_EVERY.total_seconds()))
    found[f"{UNITS}/{WATCH}.timer"] = filled("watch.timer.j2", every=int(WATCH_EVERY.total_seconds()))
    serve = quoting.command(facts.program("bkp-exporter"), "--config", facts.config)
    loopback = config.exporter.listen.host in {"localhost", "::1"} or config.exporter.listen.host.startswith("127.")
    found[f"{UNITS}/{EXPORTER}"] = filled(
        "bkp-exporter.service.j2", command=serve, box=sandbox.of_exporter(config, facts), loopback=loopback
    )
    if config.mail.when != "never":
        found[f"{UNITS}/{FAILED}"] = filled(
            "bkp-unit-failed@.service.j2", command=_failed_arguments(config, facts), box=sandbox.of_watch(config, facts)
        )
    found[f"{USERS}/bkp.conf"] = filled("sysusers.conf.j2")
    found[f"{FOLDERS}/bkp.conf"] = filled(
        "tmpfiles.conf.j2",
        folders=made_at_boot(config, facts),
        state_at_boot=config.paths.state.startswith(_BOOT_SAFE),
    )
    return found


def _units(config: Config, facts: UnitFacts) -> Iterator[_Unit]:
    """Yield the unit of every job that has a target, and that of the audit."""
    for job in runner_jobs():
        name = job.spec.name
        if config.targets(name) and not job.spec.by_person:
            spec, words = job.spec, [facts.program("bkp-run"), "--config", facts.config, *job.spec.words, "--unit"]
            box = sandbox.of_job(job.rights(config, facts.home), config, facts)
            yield _Unit(spec.unit, spec.title, words, config.job(name).schedule, box)
    look = bool(config.pools or config.disks)
    if look:
        words = [facts.program("bkp-run"), "--config", facts.config, FOLLOW.removeprefix("bkp-"), "--unit"]
        box = sandbox.of_jobs([job.rights(config, facts.home) for job in outliving()], config, facts)
        yield _Unit(FOLLOW, "Follow scrubs and self-tests to their end", words, None, box)
    words = [facts.program("bkp-run"), "--config", facts.config, "watch", "--quiet", "--unit"]
    box = sandbox.of_watch(config, facts)
    yield _Unit(WATCH, "Mail what has changed", words, None, box, _WATCH_LIMIT, after_a_look=look)
    report = f"{config.paths.state}/audit/report"
    words = [facts.program("bkp-audit"), "--config", facts.config]
    words += ["--html", f"{report}.html", "--json", f"{report}.json"]
    words += ["--keep"] if config.mail.when == "never" else ["--mail"]
    box = sandbox.of_audit(config, facts)
    yield _Unit("bkp-audit", "Audit of the backups", words, config.audit.schedule, box, after_a_look=look)


def _stop_seconds(config: Config) -> int:
    datasets = sum(source.dataset is not None for source in config.sources.values())
    return _GRACE + int(BUSY_SECONDS) * max(1, datasets) + 4 * int(config.mail.timeout.total_seconds()) + 30


def _failed_arguments(config: Config, facts: UnitFacts) -> str:
    """Return what the mailing script is given.

    Lock folder, outbox, unit, recipient, sender, host, bkp-run, its configuration, and msmtp's command line.
    """
    from bkp.tools.msmtp import arguments

    host = quoting.command(config.host) if config.host else "%H"
    sender = quoting.command(config.mail.sender) if config.mail.sender else f"bkp@{host}"
    box = f"{config.paths.state}/{OUTBOX}"
    own = f"{quoting.command(config.paths.lock, box)} %i {quoting.command(config.mail.recipient)} {sender} {host}"
    own += f" {quoting.command(facts.program('bkp-run'), facts.config)}"
    return f"{own} {quoting.command(*arguments(config.mail))}"


def folders(config: Config, facts: UnitFacts) -> tuple[str, ...]:
    """Return every folder that must be there before a unit starts: inside its sandbox it cannot be made."""
    found = [config.paths.log, config.paths.lock, config.paths.scratch_dir, f"{config.paths.state}/audit"]
    found += [sandbox.observed(config)] if config.pools or config.disks else []
    found += [source.mount_at for source in config.sources.values() if source.mount_at]
    for repository in config.repositories.values():
        found += borg_folders(repository, facts.home)
    return tuple(dict.fromkeys(found))


def made_at_boot(config: Config, facts: UnitFacts) -> tuple[str, ...]:
    """Return those of `folders` that may be made at every boot.

    Others may lie on a file system that is mounted later, and a folder made below its mount point would get in its way.
    """
    return tuple(folder for folder in folders(config, facts) if folder.startswith(_BOOT_SAFE))
