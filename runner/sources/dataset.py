"""A ZFS dataset: one atomic snapshot over it and its children, each mounted, privately, over its own mount point.

Archived paths are the live paths, so borg's files cache keeps hitting. Nothing is ever read through `.zfs/snapshot`.
"""

from __future__ import annotations

import contextlib
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.liveness import is_alive
from bkp.tools.namespace import private_mounts
from bkp.tools.zfs import commands
from bkp.tools.zfs.client import Zfs, ZfsError
from bkp.tools.zfs.replies import parse_mounts
from runner.sources import marks
from runner.sources.base import PreparedRoot, PreparedSource
from runner.sources.plan import hidden, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bkp.config.model import Source
    from bkp.state.records import Process

MOUNTINFO = Path("/proc/self/mountinfo")
BUSY_SECONDS = 30.0
NOT_THERE = "could not find any snapshots"


@dataclass(frozen=True)
class DatasetSource:
    """Takes, mounts and releases snapshots for one run. `warn` hears of what could not be cleaned up."""

    zfs: Zfs
    run_id: str
    process: Process
    needed: Mapping[str, str]
    warn: Callable[[str], None]
    info: Callable[[str], None]

    @contextmanager
    def prepare(self, name: str, source: Source) -> Iterator[PreparedSource]:
        """Snapshot, hold and mount the dataset; release and destroy when the block ends, whatever ended it."""
        dataset = source.dataset or ""
        host = marks.host_mark()
        self._clean_up_dead(dataset, host)
        planned = plan(
            self.zfs.datasets(dataset),
            parse_mounts(MOUNTINFO.read_bytes().decode("utf-8", "surrogateescape")),
            mount_at=source.mount_at,
            skip=source.skip,
        )
        if reason := hidden(planned.roots, self.needed):
            raise StepFailedError(
                reason,
                remedy=f"set sources.{name}.mount_at to a fixed path such as /run/bkp/{name}, or move what is covered",
            )
        snapshot = marks.snapshot_name(self.run_id)
        refused = False
        try:
            try:
                taken = commands.snapshot(dataset, snapshot, marks.marks_of(self.run_id, self.process, host))
                self.zfs.call(taken, f"cannot snapshot {dataset}")
            except ZfsError:
                refused = True
                raise
            self.zfs.call(commands.hold(dataset, snapshot, snapshot), f"cannot hold {dataset}@{snapshot}")
            with private_mounts():
                roots = tuple(self._mount(root, snapshot, source.mount_at) for root in planned.roots)
                yield PreparedSource(name, source, roots, planned.left_out)
        finally:
            if not refused:  # a signal may have come while zfs was at it
                self._let_go(dataset, snapshot)

    def _mount(self, root: PreparedRoot, snapshot: str, mount_at: str | None) -> PreparedRoot:
        if root.problem is not None or root.dataset is None:
            return root
        try:
            if mount_at is not None and not os.path.isdir(root.path):  # noqa: PTH112  # one system call
                Path(root.path).mkdir(mode=0o700, parents=True)
            if not os.path.isdir(root.path):  # noqa: PTH112
                return replace(root, problem=f"is not there: {root.dataset} has no folder to be mounted over")
            self.zfs.call(commands.mount_snapshot(root.dataset, snapshot, root.path), f"cannot mount {root.dataset}")
        except ZfsError as exc:
            return replace(root, problem=f"cannot be mounted: {exc.said}")
        except OSError as exc:
            return replace(root, problem=f"cannot be made, to mount {root.dataset} there: {exc.strerror}")
        return root

    def _let_go(self, dataset: str, snapshot: str) -> None:
        """Release and destroy; what fails is left to the next run, which finds it by its marks."""
        with contextlib.suppress(ZfsError):  # no hold was placed, or it is released already
            self.zfs.call(commands.release(dataset, snapshot, snapshot), f"cannot release {dataset}@{snapshot}")
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self.zfs.call(commands.destroy_snapshot(dataset, snapshot), f"cannot destroy {dataset}@{snapshot}")
            except ZfsError as exc:
                if NOT_THERE in exc.said:
                    return
                # the kernel takes a namespace apart after its last process is gone, not before
                if "busy" in exc.said and time.monotonic() < deadline:
                    time.sleep(0.5)
                    continue
                self.warn(f"{exc.message}; the next run will try again")
            return

    def _clean_up_dead(self, dataset: str, host: str) -> None:
        for run_id in marks.dead_snapshots(self.zfs.marks(dataset, marks.KEYS), host, is_alive):
            self.info(f"removing the snapshot that run {run_id} left behind on {dataset}")
            self._let_go(dataset, marks.snapshot_name(run_id))
