"""Which calls in a line of shell start a scrub or a self-test, and of what. Pure.

Such lines are those of cron, of scripts and of units.

What pauses or stops one starts none. Nor does an error scrub, which reads again only what is known to be damaged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Named = tuple[str, ...] | None  # what a call is told to scrub or test; None: all, or nobody can tell

_REDIRECTION = re.compile(r"(?:(?<!\S)[0-9]+|&)?[<>]+&?\s*\S+")
_BETWEEN_CALLS = re.compile(r"[;&|()`]")
_AROUND_WORDS = "\"'${}\\"
_SAY_ONLY = frozenset({"echo", "printf", "logger"})
_OPEN = frozenset("$*?[{`(%")
_POOL = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*")
_DEVICE = re.compile(r"/dev/[^\s;&|<>\"']+")
_STARTS = frozenset({"start", "restart", "reload-or-restart"})
_SCRUB_UNIT = re.compile(r"zfs-scrub(?:-[a-z]+)?@(?P<pool>.+?)(?:\.(?:service|timer))?|(?:zpool|bkp)-scrub\S*")
_TEST_UNIT = re.compile(r"bkp-selftest-\S+")
# zpool-scrub(8): -s stops, -p pauses, -e is an error scrub
_NO_SCRUB = frozenset("spe")
# smartctl(8): collecting data offline is no self-test, and these only change a later one
_NO_TEST = re.compile(r"offline|pending|afterselect|force\b|scttempint")


def scrubs_in(line: str) -> tuple[Named, ...]:
    """Return the pools of each call that starts a scrub."""
    return tuple(named for words in _calls(line) for named in _scrub(words))


def self_tests_in(line: str) -> tuple[Named, ...]:
    """Return the devices of each call that starts a self-test; where it has a variable for them, those of the line."""
    found = [named for words in _calls(line) for named in _self_test(words)]
    of_line = devices_in(line)
    return tuple(of_line if named is not None and not named else named for named in found)


def devices_in(text: str) -> Named:
    """Return the devices that a text names; None where it names none, or some by a pattern or a variable."""
    devices = _DEVICE.findall(_REDIRECTION.sub(" ", text))
    return None if not devices or any(_OPEN & set(device) for device in devices) else tuple(devices)


def _calls(line: str) -> Iterator[list[str]]:
    for part in _BETWEEN_CALLS.split(_REDIRECTION.sub(" ", line)):
        words = part.split()
        if not _SAY_ONLY & {_program(word) for word in words}:
            yield words


def _program(word: str) -> str:
    """Return the program that a word names: `/sbin/zpool`, and `"$ZPOOL"` as scripts have it, are both zpool."""
    return word.strip(_AROUND_WORDS).rpartition("/")[2].lower()


def _scrub(words: list[str]) -> Iterator[Named]:
    for place, word in enumerate(words):
        rest = [each.strip("\"'") for each in words[place + 1 :]]
        program = _program(word)
        if program == "zpool" and rest[:1] == ["scrub"]:
            options = {letter for each in rest if each.startswith("-") for letter in each[1:]}
            if not options & _NO_SCRUB:
                yield _pools(rest[1:])
        elif word.strip("\"'").endswith("zfs-linux/scrub") or (program == "bkp-run" and _ours(rest)[:1] == ["scrub"]):
            yield None
        elif program == "systemctl":
            yield from ((unit["pool"],) if unit["pool"] else None for unit in _units(rest, _SCRUB_UNIT))


def _pools(words: list[str]) -> Named:
    named = [each for each in words if not each.startswith("-")]
    if any(_OPEN & set(each) for each in named):
        return None
    return tuple(each for each in named if _POOL.fullmatch(each)) or None


def _self_test(words: list[str]) -> Iterator[Named]:
    for place, word in enumerate(words):
        rest = [each.strip("\"'") for each in words[place + 1 :]]
        program = _program(word)
        if program == "smartctl":
            kinds = [*re.findall(r"(?<!\S)(?:-t ?|--test[= ])(\S+)", " ".join(rest))]
            if any(not _NO_TEST.match(kind) for kind in kinds):
                yield devices_in(" ".join(rest)) if any(each.startswith("/dev/") for each in rest) else ()
        elif program == "bkp-run" and _ours(rest)[:1] == ["selftest"]:
            yield None
        elif program == "systemctl":
            yield from (None for _ in _units(rest, _TEST_UNIT))


def _units(words: list[str], wanted: re.Pattern[str]) -> Iterator[re.Match[str]]:
    if _STARTS & set(words):
        yield from (match for each in words if (match := wanted.fullmatch(each)))


def _ours(words: list[str]) -> list[str]:
    """Return the words of a call of bkp-run from its command on; none of one that only says what it would do."""
    if {"--dry-run", "--help"} & set(words):
        return []
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] == "--config" else words[1:]
    return words
