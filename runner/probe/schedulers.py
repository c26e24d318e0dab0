"""Who schedules scrubs and self-tests: cron's files and folders, systemd's timers (bkp's among them), smartd.

Which of their lines start one is `bkp.started_work`'s to say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.jobs import SCRUB, SELFTEST_LONG, SELFTEST_SHORT
from bkp.observations import Schedulers
from bkp.started_work import scrubs_in, self_tests_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bkp.started_work import Named
    from runner.probe.devices import Host

    Starts = Callable[[str], tuple[Named, ...]]

_CRON_FOLDER = "/etc/cron.d"
_CRON_FILES = ("/etc/crontab", "/etc/anacrontab")
_CRONTABS = "/var/spool/cron/crontabs"
_RUN_PARTS = tuple(f"/etc/cron.{often}" for often in ("hourly", "daily", "weekly", "monthly", "yearly"))
_RUN_PARTS_NAME = re.compile(r"[A-Za-z0-9_-]+")  # run-parts(8), and cron(8) in its folder, pass over all other names
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_SCRUB_TIMER = re.compile(r"zfs-scrub-[a-z]+@.+\.timer|zpool-scrub.*\.timer")
_OURS = "bkp-run"
_OUR_SCRUBS = frozenset({f"{SCRUB.unit}.timer"})
_OUR_TESTS = frozenset({f"{SELFTEST_SHORT.unit}.timer", f"{SELFTEST_LONG.unit}.timer"})
_SMARTD = "/etc/smartd.conf"
_SMARTD_UNITS = frozenset({"smartd.service", "smartmontools.service"})
_SMARTD_TEST = re.compile(r"\s-s\s+(\S+)")
_SMARTD_KIND = re.compile(r"(?:^|[(|])([A-Za-z.\[])")  # smartd.conf(5): the letter of a test, or a pattern for it
_OFFLINE = {"O"}  # collects data, and tests nothing
_EXEC = re.compile(r"Exec[A-Za-z]+=[-@:+!|]*(.*)")
_UNIT = re.compile(r"Unit=(.+)")
_SHOWN = 200
_SCRIPT_BYTES = 64 << 10  # what is larger is no script


def look_for_schedulers(host: Host) -> Schedulers:
    """Return what schedules scrubs and self-tests, each as the file and its own line.

    Looked into are cron's files, and the scripts and commands that cron's lines and folders and enabled timers start;
    not what those start in their turn. bkp's own timers are one scheduler, however many there are.
    """
    timers = list(_timers(host))
    ours = [timer.rpartition("/")[2] for timer in timers]
    named = tuple(timer for timer in timers if _SCRUB_TIMER.fullmatch(timer.rpartition("/")[2]))
    own = _OUR_SCRUBS | _OUR_TESTS
    others = [timer for timer in timers if timer not in named and timer.rpartition("/")[2] not in own]
    return Schedulers(
        scrubs=(
            *(f"{_OURS}: {name}" for name in ours if name in _OUR_SCRUBS),
            *named,
            *_found(host, others, scrubs_in),
        ),
        self_tests=(
            *(f"{_OURS}: {name}" for name in ours if name in _OUR_TESTS),
            *_smartd(host),
            *_found(host, others, self_tests_in),
        ),
    )


def _found(host: Host, timers: list[str], starts: Starts) -> Iterator[str]:
    cron = [f"{_CRON_FOLDER}/{name}" for name in host.names(_CRON_FOLDER) if _RUN_PARTS_NAME.fullmatch(name)]
    tables = [f"{_CRONTABS}/{name}" for name in host.names(_CRONTABS)]
    for path in (*cron, *_CRON_FILES, *tables):
        yield from _matching(path, _with_scripts(host, _lines(host, path)), starts)
    for path in _scripts(host):
        yield from _matching(path, _lines(host, path), starts)
    for timer in timers:
        yield from _matching(timer, _with_scripts(host, _commands(host, timer)), starts)


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
    if not found.st_mode & 0o111 or found.st_size > _SCRIPT_BYTES:
        return False
    return (host.text(path) or "").startswith("#!")


def _timers(host: Host) -> Iterator[str]:
    """Yield the enabled timers, by the links that start them at boot."""
    for folder in _UNITS:
        wants = f"{folder}/timers.target.wants"
        yield from (f"{wants}/{name}" for name in host.names(wants) if name.endswith(".timer"))


def _commands(host: Host, timer: str) -> Iterator[str]:
    """Yield what a timer's service starts."""
    name = timer.rpartition("/")[2]
    instance = name.partition("@")[2].removesuffix(".timer")
    service = next((match[1] for line in _unit(host, name) if (match := _UNIT.fullmatch(line))), None)
    for line in _unit(host, service or f"{name.removesuffix('.timer')}.service"):
        if (match := _EXEC.fullmatch(line)) is not None:
            yield re.sub("%[iI]", lambda _: instance, match[1])


def _with_scripts(host: Host, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines, each before those of the scripts that it names."""
    for line in lines:
        yield line
        for word in line.split():
            if word.startswith("/") and _is_script(host, word):
                yield from _lines(host, word)


def _unit(host: Host, name: str) -> list[str]:
    """Return the lines of a unit or, for an instance that has no file of its own, of its template."""
    stem, at, rest = name.partition("@")
    template = f"{stem}@.{rest.rpartition('.')[2]}" if at else name
    for folder in _UNITS:
        for each in (name, template):
            if lines := list(_lines(host, f"{folder}/{each}")):
                return lines
    return []


def _matching(path: str, lines: Iterable[str], starts: Starts) -> Iterator[str]:
    yield from (f"{path}: {line[:_SHOWN]}" for line in lines if starts(line))


def _smartd(host: Host) -> Iterator[str]:
    wanted = {name for folder in _UNITS for name in host.names(f"{folder}/multi-user.target.wants")}
    if not wanted & _SMARTD_UNITS:  # nothing starts it
        return
    for each in _lines(host, _SMARTD):
        line = each.partition("#")[0]  # smartd.conf(5): the rest of a line is a comment
        if (found := _SMARTD_TEST.search(line)) and set(_SMARTD_KIND.findall(found[1])) != _OFFLINE:
            yield f"{_SMARTD}: {line.split()[0]} -s {found[1][:_SHOWN]}"
        if line.startswith("DEVICESCAN"):  # smartd reads no further
            return


def _lines(host: Host, path: str) -> Iterator[str]:
    text = (host.text(path) or "").replace("\\\n", " ")
    return (line for each in text.splitlines() if (line := each.strip()) and not line.startswith("#"))
