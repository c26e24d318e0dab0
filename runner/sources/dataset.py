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
from bkp.tools.cleanup import to_the_end
from bkp.tools.mounts import mount_table
from bkp.tools.namespace import private_mounts
from bkp.tools.zfs import commands
from bkp.tools.zfs.client import Zfs, ZfsError, dataset_of
from bkp.tools.zfs.replies import parse_mounts
from runner.sources import marks
from runner.sources.base import PreparedRoot, PreparedSource, identity
from runner.sources.plan import hidden, is_skipped, plan, swallowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bkp.config.repositories import Source
    from bkp.state.records import Process
    from bkp.tools.zfs.replies import Dataset
    from runner.sources.plan import Placement

BUSY_SECONDS = 30.0
NOT_THERE = "could not find any snapshots"


@dataclass(frozen=True)
class DatasetSource:
    """Takes, mounts and releases snapshots for one run.

    Attributes:
        needed: what the run writes to, by name; none of it may be covered.
        exclude: the patterns of everything that goes into the archive.
        warn, info: hear what the record is to say.
    """

    zfs: Zfs
    run_id: str
    process: Process
    needed: Mapping[str, str]
    exclude: tuple[str, ...]
    warn: Callable[[str], None]
    info: Callable[[str], None]

    @contextmanager
    def prepare(self, name: str, source: Source) -> Iterator[PreparedSource]:
        """Snapshot, hold and mount the dataset; release and destroy when the block ends, whatever ended it."""
        dataset = source.dataset or ""
        host = marks.host_mark()
        self._clean_up_dead(dataset, host)
        datasets = self.zfs.datasets(dataset)
        mountinfo = mount_table(self.zfs.programs.mountinfo)
        mounts = parse_mounts(mountinfo)
        planned = plan(datasets, mounts, mount_at=source.mount_at, skip=source.skip)
        self._refuse(name, planned, mounts, mountinfo)
        snapshot = marks.snapshot_name(self.run_id)
        refused = False
        try:
            try:
                taken = commands.snapshot(dataset, snapshot, marks.marks_of(self.run_id, self.process, host))
                self.zfs.call(taken, f"cannot snapshot {dataset}")
            except ZfsError as exc:
                refused = exc.ended
                raise
            self.zfs.call(commands.hold(dataset, snapshot, snapshot), f"cannot hold {dataset}@{snapshot}")
            self._name_newcomers(dataset, source, datasets)
            with private_mounts():
                yield PreparedSource(name, source, self._mount_all(planned, snapshot, source, mounts), planned.left_out)
        finally:
            if not refused:  # a signal may have come while zfs was at it
                to_the_end(lambda: self._let_go(dataset, snapshot))

    def _refuse(self, name: str, planned: Placement, mounts: Mapping[str, tuple[str, ...]], mountinfo: str) -> None:
        """Raise `StepFailedError` if these snapshots would cover what the run needs, or hold its own repository."""
        if reason := hidden(planned.roots, self.needed):
            raise StepFailedError(
                reason,
                remedy=f"set sources.{name}.mount_at to a fixed path such as /run/bkp/{name}, or move what is covered",
            )
        repository = os.path.realpath(self.needed.get("repository", "/"))
        try:
            owner = dataset_of(repository, mountinfo)
        except OSError:  # borg will say so
            return
        if place := swallowed(planned.roots, mounts, owner, repository, self.exclude):
            raise StepFailedError(
                f"the repository {repository} lies in this source: it would be archived into itself, as {place}",
                remedy=f"write sources.{name}.skip: [{owner}] or sources.{name}.exclude: ['pp:{place}']",
            )

    def _name_newcomers(self, dataset: str, source: Source, known: Iterable[Dataset]) -> None:
        """Warn of datasets that came between the list and the snapshot: tonight's archive does not hold them."""
        names = {each.name for each in known}
        for each in self.zfs.datasets(dataset):
            if each.name not in names and not is_skipped(each.name, source.skip):
                self.warn(
                    f"{each.name} is not archived: it was created while the snapshot was taken; the next night has it"
                )

    def _mount_all(
        self, planned: Placement, snapshot: str, source: Source, mounts: Mapping[str, tuple[str, ...]]
    ) -> tuple[PreparedRoot, ...]:
        """Mount every root, parents first; one that another mount covers in the end has a problem."""
        fixed = os.path.normpath(source.mount_at) if source.mount_at else None
        roots = []
        for root in planned.roots:
            unmounted = root.dataset not in mounts
            done = self._mount(root, snapshot, make=fixed is not None, empty=unmounted and root.path != fixed)
            if unmounted:
                done = replace(done, note="its dataset is not mounted; its snapshot was archived all the same")
            roots.append((done, identity(done.path)))
        return tuple(
            replace(root, problem="is covered by the snapshot of another dataset")
            if root.problem is None and identity(root.path) != seen
            else root
            for root, seen in roots
        )

    def _mount(self, root: PreparedRoot, snapshot: str, *, make: bool, empty: bool) -> PreparedRoot:
        """Mount one snapshot; return its root, with a problem where that is not possible.

        `make` the folder if it is not there. `empty`: it has to be, for what it holds is of another file system, on
        which people see it, and would be in no archive.
        """
        if root.problem is not None or root.dataset is None:
            return root
        try:
            if make and not os.path.isdir(root.path):  # noqa: PTH112  # one system call
                Path(root.path).mkdir(mode=0o700, parents=True)
            if problem := _unusable(root.path, empty=empty):
                return replace(root, problem=problem)
            self.zfs.call(commands.mount_snapshot(root.dataset, snapshot, root.path), f"cannot mount {root.dataset}")
        except ZfsError as exc:
            return replace(root, problem=f"cannot be mounted: {exc.said}")
        except OSError as exc:
            return replace(root, problem=f"cannot be used, to mount {root.dataset} there: {exc.strerror}")
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


def _unusable(folder: str, *, empty: bool) -> str | None:
    if os.path.islink(folder):  # noqa: PTH114  # no Path of it is needed
        return "is a symbolic link, of which borg archives the link alone"
    if not os.path.isdir(folder):  # noqa: PTH112
        return "is not there, so its dataset has no folder to be mounted over: mount it once, or skip it"
    with os.scandir(folder) as entries:
        if empty and next(entries, None) is not None:
            return "holds files although its dataset is not mounted: mount it, after having moved them, or skip it"
    return None
