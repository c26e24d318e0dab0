"""What a job is to the runner: its entry in the table, how it begins, what it does, and what its unit may touch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bkp.config.model import Config
    from bkp.jobs import JobSpec
    from runner.lifecycle.context import RunContext

S = TypeVar("S")

# Reading and writing whatever root's nightly is asked to, whoever owns it; O_NOATIME on it needs CAP_FOWNER.
READ_EVERYTHING = ("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_FOWNER")


@dataclass(frozen=True)
class DryRun:
    """The commands that a job would run, and the environment of those that need one. Never a secret.

    `notes` say what decides whether, and when, they are run.
    """

    job: str
    target: str
    commands: tuple[tuple[str, ...], ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rights:
    """What a job's unit may do beyond reading (systemd.exec(5)). Paths need not exist.

    `reads` are trees that must stay visible in the unit's mount namespace: what it hides would be missing from an
    archive. `mounts`: it mounts in a namespace of its own. `restores`: it gives files their owners and modes back.
    """

    writable: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = READ_EVERYTHING
    mounts: bool = False
    restores: bool = False


@dataclass(frozen=True)
class RunnerJob(Generic[S]):
    """One job.

    Attributes:
        spec: its entry in the table of jobs.
        open: makes what it works with, once the lock is held and the record is on disk.
        work: does the work. It may raise `DeferredError`: not now, for a good reason.
        dry_run: says what would be run, for a target and a lock wait in seconds. Reads no secret.
        rights: says what its unit may do, given the home of the account that it runs as.
        hindrance: says why the work cannot begin now; None if it can. For jobs whose work outlives their process.
    """

    spec: JobSpec
    open: Callable[[RunContext], S]
    work: Callable[[S], None]
    dry_run: Callable[[Config, str, float], DryRun]
    rights: Callable[[Config, str], Rights]
    hindrance: Callable[[Config, str], str | None] | None = None
