"""What `--help` says of each job's command, and the switches of its own that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from runner.jobs.nightly import ACCEPT_GONE, ACCEPT_REMOVAL, ACCEPT_REPOSITORY, ACCEPT_SIZE
from runner.jobs.sync import DISCARD, TEST_GATE

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class JobText:
    """What --help says of a job's command, and the switches of its own that it has."""

    summary: str
    details: str
    examples: tuple[str, ...]
    switches: tuple[Callable[[click.Command], click.Command], ...] = ()


_NO_WAIT = click.option("--no-wait", is_flag=True, help="Begin, and let `bkp-run follow` see to the end.")
_SELF_TEST = (
    "Starts the disk's own self-test and follows it to its end, which the disk's own log tells. Ctrl-C or a restart of "
    "the server changes nothing, and `bkp-run follow` goes on. One disk of a pool at a time, never beside a scrub of "
    "its pool: the others are deferred, and begin when it is their turn."
)

TEXTS = {
    "nightly": JobText(
        "Archive all sources, prove the archive, prune and compact.",
        "Nothing is pruned unless tonight's archive is listed by the repository, holds every source, and is not "
        "suspiciously small. Until then it is named unproven-…, and one that is no good one is named incomplete-… or "
        "suspicious-…: none of these ever counts for retention or as the latest.",
        (
            "bkp-run nightly --dry-run               say what would be run",
            "bkp-run nightly --target main --quiet   one repository; say only what is wrong",
            "bkp-run nightly --lock-wait 0           give up at once where another run is at work",
        ),
        (
            click.option(
                "--accept-size",
                ACCEPT_SIZE,
                is_flag=True,
                help="This archive's size is right, however small: prune as ever, and compare the nights to come "
                "with it.",
            ),
            click.option(
                "--accept-repository",
                ACCEPT_REPOSITORY,
                is_flag=True,
                help="The repository at this path is the right one, though it is another than before, and all its "
                "archives with this prefix are this server's.",
            ),
            click.option(
                "--accept-gone",
                ACCEPT_GONE,
                is_flag=True,
                help="It is right that the archives are gone which a run has reported: miss them no more.",
            ),
        ),
    ),
    "check": JobText(
        "Check the repository's segments, index and archive metadata.",
        "Runs `borg check`. Anything that borg finds is a failure.",
        ("bkp-run check --target main", "bkp-run check --json | jq .outcome"),
    ),
    "verify": JobText(
        "Check the repository, and decrypt and authenticate all its data.",
        "Runs `borg check --verify-data`, which reads everything: hours, on a large repository.",
        ("bkp-run verify --target main", "bkp-run verify --dry-run --json   the plan, for a script"),
    ),
    "drill": JobText(
        "Restore a random sample and compare every hash.",
        "The sample was drawn by the last nightly from the very tree it archived. Tolerance is zero.",
        ("bkp-run drill --target main", "bkp-run drill --json | jq .result"),
    ),
    "prune": JobText(
        "Prune by the rules and compact, without making an archive first.",
        "For a disk that is too full for a nightly. Refuses where the repository lists no archive that a recorded "
        "night has proven, where archives are dated in the future or are another server's, and where the rules would "
        "remove far more archives than is usual.",
        ("bkp-run prune --dry-run               say what would be run", "bkp-run prune --target main"),
        (
            click.option(
                "--accept-removal",
                ACCEPT_REMOVAL,
                is_flag=True,
                help="It is right that the rules remove so many archives, as after a change of `keep`.",
            ),
        ),
    ),
    "sync": JobText(
        "Pull the replications from the live server.",
        "Runs syncoid, and records the newest snapshot that both servers have. A live server that does not answer is "
        "waited for until the job's deadline. A pull that was cut off is resumed. Nothing here is rolled back or "
        "overwritten. Once a week it first sends commands that the live server must refuse.",
        (
            "bkp-run sync --target live     one replication, with progress",
            "bkp-run sync --dry-run         say what would be run",
            "bkp-run sync --json | jq .result.datasets",
        ),
        (
            click.option(
                "--discard-partial",
                DISCARD,
                is_flag=True,
                help="Give up what was received in part and cannot be resumed (`zfs receive -A`).",
            ),
            click.option(
                "--test-gate",
                TEST_GATE,
                is_flag=True,
                help="Send the commands that must be refused now, whenever that was done last.",
            ),
        ),
    ),
    "scrub": JobText(
        "Scrub the pools: read everything, repair what can be.",
        "Starts a scrub, or adopts one that runs, and follows it to its end. The pool itself decides that: Ctrl-C or a "
        "restart of the server changes nothing, and `bkp-run follow` goes on. Deferred while the pool is not ONLINE, a "
        "spare is in use, it resilvers, or a self-test runs on one of its disks.",
        (
            "bkp-run scrub --no-wait       begin on all pools and leave the rest to `bkp-run follow`",
            "bkp-run scrub --dry-run       say what would be run",
        ),
        (_NO_WAIT,),
    ),
    "selftest-short": JobText(
        "Have each disk test itself: minutes.",
        _SELF_TEST,
        ("bkp-run selftest short --target left", "bkp-run selftest short --no-wait"),
        (_NO_WAIT,),
    ),
    "selftest-long": JobText(
        "Have each disk read all of itself: hours to days.",
        _SELF_TEST,
        ("bkp-run selftest long --target left --no-wait", "bkp-run selftest long --dry-run"),
        (_NO_WAIT,),
    ),
}
