"""Who schedules scrubs and self-tests: cron's files and folders, systemd's timers (bkp's among them), smartd."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.jobs import SCRUB, SELFTEST_LONG, SELFTEST_SHORT
from bkp.observations import Schedulers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.probe.devices import Host

_CRON_FOLDER = "/etc/cron.d"
_CRON_FILES = ("/etc/crontab", "/var/spool/cron/crontabs/root")
_RUN_PARTS = tuple(f"/etc/cron.{often}" for often in ("hourly", "daily", "weekly", "monthly", "yearly"))
_RUN_PARTS_NAME = re.compile(r"[A-Za-z0-9_-]+")  # run-parts(8) passes over all other names
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_SCRUB_TIMER = re.compile(r"zfs-scrub-[a-z]+@.+\.timer|zpool-scrub.*\.timer")
_OURS = "bkp-run"
_OUR_SCRUBS = frozenset({f"{SCRUB.unit}.timer"})
_OUR_TESTS = frozenset({f"{SELFTEST_SHORT.unit}.timer", f"{SELFTEST_LONG.unit}.timer"})
_SMARTD = "/etc/smartd.conf"
_SCRUB = re.compile(r"\bzpool\s+scrub\b|zfs-linux/scrub\b")
_SELF_TEST = re.compile(r"\bsmartctl\b.*\s(?:-t|--test)\b")
_SMARTD_TEST = re.compile(r"\s-s\s+(\S+)")
_EXEC = re.compile(r"Exec[A-Za-z]+=[-@:+!|]*(.*)")
_UNIT = re.compile(r"Unit=(.+)")
_SHOWN = 200
_SCRIPT_BYTES = 64 << 10  # what is larger is no script


def look_for_schedulers(host: Host) -> Schedulers:
    """Return what schedules scrubs and self-tests, each as the file and its own line.

    Looked into are cron's files, and the scripts and commands that cron's folders and enabled timers start; not what
    those start in their turn. bkp's own timers are one scheduler, however many there are.
    """
    timers = list(_timers(host))
    ours = [timer.rpartition("/")[2] for timer in timers]
    named = tuple(timer for timer in timers if _SCRUB_TIMER.fullmatch(timer.rpartition("/")[2]))
    others = [timer for timer in timers if timer not in named]
    return Schedulers(
        scrubs=(
            *(f"{_OURS}: {name}" for name in ours if name in _OUR_SCRUBS),
            *named,
            *_found(host, others, _SCRUB),
        ),
        self_tests=(
            *(f"{_OURS}: {name}" for name in ours if name in _OUR_TESTS),
            *_smartd(host),
            *_found(host, others, _SELF_TEST),
        ),
    )


def _found(host: Host, timers: list[str], wanted: re.Pattern[str]) -> Iterator[str]:
    cron = [f"{_CRON_FOLDER}/{name}" for name in host.names(_CRON_FOLDER)] + list(_CRON_FILES)
    for path in (*cron, *_scripts(host)):
        yield from _matching(path, _lines(host, path), wanted)
    for timer in timers:
        yield from _matching(timer, _commands(host, timer), wanted)


def _scripts(host: Host) -> Iterator[str]:
    """Yield the scripts that cron starts from its folders: those that run-parts(8) takes."""
    for folder in _RUN_PARTS:
        for name in host.names(folder):
            if _RUN_PARTS_NAME.fullmatch(name) and _is_script(host, f"{folder}/{name}"):
                yield f"{folder}/{name}"


def _is_script(host: Host, path: str) -> bool:
    try:
        found = host.file(path).stat()
    except OSError:
        return False
    return bool(found.st_mode & 0o111) and found.st_size <= _SCRIPT_BYTES


def _timers(host: Host) -> Iterator[str]:
    """Yield the enabled timers, by the links that start them at boot."""
    for folder in _UNITS:
        wants = f"{folder}/timers.target.wants"
        yield from (f"{wants}/{name}" for name in host.names(wants) if name.endswith(".timer"))


def _commands(host: Host, timer: str) -> Iterator[str]:
    """Yield what a timer's service starts, and the lines of the scripts that it names."""
    name = timer.rpartition("/")[2]
    service = next((match[1] for line in _unit(host, name) if (match := _UNIT.fullmatch(line))), None)
    for line in _unit(host, service or f"{name.removesuffix('.timer')}.service"):
        if (match := _EXEC.fullmatch(line)) is None:
            continue
        yield match[1]
        program = match[1].partition(" ")[0]
        if program.startswith("/") and _is_script(host, program):
            yield from _lines(host, program)


def _unit(host: Host, name: str) -> list[str]:
    """Return the lines of a unit or, for an instance that has no file of its own, of its template."""
    stem, at, rest = name.partition("@")
    template = f"{stem}@.{rest.rpartition('.')[2]}" if at else name
    for folder in _UNITS:
        for each in (name, template):
            if lines := list(_lines(host, f"{folder}/{each}")):
                return lines
    return []


def _matching(path: str, lines: Iterator[str], wanted: re.Pattern[str]) -> Iterator[str]:
    for line in lines:
        if wanted.search(line):
            yield f"{path}: {line[:_SHOWN]}"


def _smartd(host: Host) -> Iterator[str]:
    for each in _lines(host, _SMARTD):
        line = each.partition("#")[0]  # smartd.conf(5): the rest of a line is a comment
        if found := _SMARTD_TEST.search(line):
            yield f"{_SMARTD}: {line.split()[0]} -s {found[1][:_SHOWN]}"
        if line.startswith("DEVICESCAN"):  # smartd reads no further
            return


def _lines(host: Host, path: str) -> Iterator[str]:
    text = (host.text(path) or "").replace("\\\n", " ")
    return (line for each in text.splitlines() if (line := each.strip()) and not line.startswith("#"))
