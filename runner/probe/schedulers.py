"""Who else schedules scrubs and self-tests: Debian's cron file, upstream's timers, smartd, root's crontab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.observations import Schedulers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.probe.devices import Host

_CRON_FOLDER = "/etc/cron.d"
_CRON_FILES = ("/etc/crontab", "/var/spool/cron/crontabs/root")
_WANTED = "/etc/systemd/system/timers.target.wants"
_SCRUB_TIMER = re.compile(r"zfs-scrub-[a-z]+@.+\.timer|zpool-scrub.*\.timer")
_SMARTD = "/etc/smartd.conf"
_SCRUB = re.compile(r"\bzpool\s+scrub\b|zfs-linux/scrub\b")
_SELF_TEST = re.compile(r"\bsmartctl\b.*\s(?:-t|--test)\b")
_SMARTD_TEST = re.compile(r"\s-s\s+(\S+)")
_SHOWN = 200


def look_for_schedulers(host: Host) -> Schedulers:
    """Return what schedules scrubs and self-tests, each as the file and its own line."""
    cron = [f"{_CRON_FOLDER}/{name}" for name in host.names(_CRON_FOLDER)] + list(_CRON_FILES)
    timers = [f"{_WANTED}/{name}" for name in host.names(_WANTED) if _SCRUB_TIMER.fullmatch(name)]
    return Schedulers(
        scrubs=(*timers, *(found for path in cron for found in _matching(host, path, _SCRUB))),
        self_tests=(*_smartd(host), *(found for path in cron for found in _matching(host, path, _SELF_TEST))),
    )


def _matching(host: Host, path: str, wanted: re.Pattern[str]) -> Iterator[str]:
    for line in _lines(host, path):
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
