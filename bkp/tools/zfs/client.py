"""zfs and zpool, called as programs. They get no secret, and their refusals come back in their own words."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.tools.process import Command, clean_environment, run
from bkp.tools.zfs import commands, replies
from bkp.tools.zfs.delegations import Grant, parse_grants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT = 300.0
MISSING = "dataset does not exist"


class ZfsError(StepFailedError):
    """zfs or mount refused. `said` is its first line; `ended` is False where it was killed and may have done it yet."""

    def __init__(self, what: str, said: str, *, ended: bool = True) -> None:
        super().__init__(f"{what}: {said}", remedy="see `zpool status` and `zfs list`; the log has the command")
        self.said = said
        self.ended = ended


def dataset_of(path: str | Path, mountinfo: str) -> str | None:
    """Return the dataset that a path lies on (stat(2), proc(5)); None where that is no ZFS.

    Raise `OSError` if the path is not there.
    """
    device = Path(path).stat().st_dev
    return replies.dataset_on_device(mountinfo, f"{os.major(device)}:{os.minor(device)}")


@dataclass(frozen=True)
class Zfs:
    """Calls zfs and zpool. `tell` gets every command line before it is run, for the log; `timeout` is in seconds."""

    tell: Callable[[str], None]
    keep_open: tuple[int, ...] = ()
    programs: commands.Programs = field(default_factory=commands.Programs)
    timeout: float = TIMEOUT

    def call(self, argv: tuple[str, ...], what: str, stdin: bytes | None = None) -> str:
        """Run one command and return its stdout; raise `ZfsError` with what it said if it refused."""
        command = Command(
            argv=self.programs.located(argv), environment=clean_environment(), keep_open=self.keep_open, stdin=stdin
        )
        self.tell(f"$ {command}")
        completed = run(command, timeout=self.timeout)
        if completed.exit_code != 0 or completed.timed_out:
            lines = completed.stderr_tail.decode("utf-8", "replace").strip().splitlines()
            said = (
                "it took too long" if completed.timed_out else lines[0] if lines else f"exit code {completed.exit_code}"
            )
            raise ZfsError(what, said, ended=not completed.timed_out and completed.exit_code < 128)
        return completed.stdout.decode("utf-8", "surrogateescape")

    def datasets(self, dataset: str) -> list[replies.Dataset]:
        """Return a file system and all below it, volumes among them."""
        what = f"cannot list dataset {dataset}"
        found = self._listed(commands.list_datasets(dataset), commands.list_mount_points(dataset), what)
        if not found or found[0].name != dataset:  # it went between two questions
            raise ZfsError(what, f"cannot open '{dataset}': {MISSING}")
        return found

    def having(self, dataset: str, snapshot: str) -> frozenset[str]:
        """Return which of the dataset and all below it have a snapshot of that name."""
        text = self.call(commands.list_snapshots(dataset), f"cannot list snapshots of {dataset}")
        found = (line.partition("@") for line in text.split("\n"))
        return frozenset(name for name, _, short in found if short == snapshot)

    def received(self, dataset: str) -> list[replies.Snapshot]:
        """Return all snapshots of the dataset and of all below it."""
        text = self.call(commands.list_received(dataset), f"cannot list snapshots of {dataset}")
        return replies.parse_snapshots(text)

    def holds(self, snapshots: Sequence[str]) -> list[tuple[str, str]]:
        """Return the holds of these snapshots: each snapshot's name with a tag."""
        return replies.parse_holds(self.call(commands.list_holds(snapshots), "cannot list holds")) if snapshots else []

    def marks(self, dataset: str, properties: tuple[str, ...]) -> list[replies.Mark]:
        """Return the user properties of the dataset's own snapshots."""
        return replies.parse_marks(
            self.call(commands.snapshot_marks(dataset, properties), f"cannot list snapshots of {dataset}")
        )

    def all_datasets(self) -> list[replies.Dataset]:
        """Return every file system of every imported pool."""
        return self._listed(commands.list_all_datasets(), commands.list_all_mount_points(), "cannot list datasets")

    def _listed(self, datasets: tuple[str, ...], mount_points: tuple[str, ...], what: str) -> list[replies.Dataset]:
        text = self.call(datasets, what)
        names = replies.parse_names(text)
        found = replies.parse_mount_points(self.call(mount_points, what), names)
        return replies.parse_datasets(text, self._each_mount_point(names, what) if found is None else found)

    def _each_mount_point(self, names: Sequence[str], what: str) -> dict[str, str]:
        """Ask for one after the other: a list with odd values in it cannot be told apart. What is gone has none."""
        found = {}
        for name in names:
            try:
                found[name] = self.call(commands.mount_point(name), what).removesuffix("\n")
            except ZfsError as exc:
                if MISSING not in exc.said:
                    raise
        return found

    def properties(
        self, names: Sequence[str], datasets: Sequence[str], *, below: bool = False
    ) -> list[replies.Property]:
        """Return properties of file systems, and with `below` of all below them."""
        what = f"cannot read properties of {', '.join(datasets)}"
        return replies.parse_properties(self.call(commands.properties(names, datasets, below=below), what))

    def grants(self, dataset: str) -> list[Grant]:
        """Return what others than root may do with the dataset."""
        return parse_grants(self.call(commands.list_rights(dataset), f"cannot list rights on {dataset}"), dataset)

    def pool(self, pool: str) -> replies.PoolSpace:
        """Return what `zpool list` says of one pool."""
        return replies.parse_pool(self.call(commands.list_pool(pool), f"cannot list pool {pool}"))

    def error_counts(self, pool: str) -> replies.ErrorCounts:
        """Return the errors that `zpool status` counts for one pool."""
        return replies.parse_error_counts(
            self.call(commands.pool_status(pool), f"cannot read the status of pool {pool}")
        )
