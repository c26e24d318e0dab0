"""A ZFS dataset: one atomic snapshot over it and its children, each mounted, privately, over its own mount point.

Of a replica no snapshot is made: those that were received are held and mounted (`runner.sources.received`).

Archived paths are the live paths, so borg's files cache keeps hitting. Nothing is ever read through `.zfs/snapshot`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from bkp.errors import StepFailedError
from bkp.liveness import is_alive
from bkp.tools.cleanup import to_the_end
from bkp.tools.mounts import mount_table
from bkp.tools.namespace import make_folder, private_mounts
from bkp.tools.zfs import commands
from bkp.tools.zfs.client import MISSING, Zfs, ZfsError, dataset_of
from bkp.tools.zfs.replies import parse_mounts
from runner.sources import marks
from runner.sources.base import Omitted, PreparedRoot, PreparedSource, identity
from runner.sources.held import SNAPSHOT_TRIES, HeldSnapshots
from runner.sources.plan import hidden, plan, swallowed
from runner.sources.unheld import GONE, taken_away, unheld, unreceived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from bkp.config.repositories import Source
    from bkp.state.records import Process
    from bkp.tools.zfs.replies import Dataset, Snapshot
    from runner.sources.plan import Placement
    from runner.sources.unheld import Unheld

BUSY_SECONDS = 30.0
NOT_THERE = "could not find any snapshots"


@dataclass(frozen=True)
class Replica:
    """A dataset that a replication receives: its target alone, or with all below it, and how old it may be."""

    target: str
    recursive: bool
    patience: timedelta


@dataclass(frozen=True)
class DatasetSource:
    """Takes, mounts and releases snapshots for one run.

    Attributes:
        needed: what the run writes to, by name; none of it may be covered.
        exclude: the patterns of everything that goes into the archive.
        replica: how it is received, if it is; None for a dataset of this server's own.
        warn, info: hear what the record is to say.
    """

    zfs: Zfs
    run_id: str
    process: Process
    needed: Mapping[str, str]
    exclude: tuple[str, ...]
    replica: Replica | None
    warn: Callable[[str], None]
    info: Callable[[str], None]

    @contextmanager
    def prepare(self, name: str, source: Source) -> Iterator[PreparedSource]:
        """Snapshot, hold and mount the dataset; release and destroy when the block ends, whatever ended it.

        A dataset that is not there, or whose snapshot somebody takes away, is a root with a problem.
        """
        dataset = source.dataset or ""
        with contextlib.ExitStack() as stack:
            try:
                prepared = self._prepared(stack, name, source, dataset)
            except ZfsError as exc:
                if not _is_not_there(exc, dataset):
                    raise
                why = "does not exist: was it destroyed or renamed, or is its pool not imported?"
                prepared = _without_snapshot(name, source, dataset, why)
            yield prepared

    def _prepared(self, stack: contextlib.ExitStack, name: str, source: Source, dataset: str) -> PreparedSource:
        before = after = self.zfs.datasets(dataset)
        host = marks.host_mark()
        self._clean_up_dead(dataset, host)
        if self.replica is not None:
            return self._received(stack, name, source, self.replica, host)
        snapshot, held = marks.snapshot_name(self.run_id), frozenset[str]()
        if not before[0].receiving:  # zfs snapshot -r of nothing ends by a segmentation fault in 2.1
            stack.callback(lambda: to_the_end(lambda: self._let_go_renamed(before, snapshot)))
            stack.enter_context(self._snapshot(dataset, snapshot, host))
            held, after = self.zfs.having(dataset, snapshot), self.zfs.datasets(dataset)
            if not held:
                return _without_snapshot(name, source, dataset, taken_away(dataset))
        without = unheld(before, after, held)
        gone = [each for each in before if without.get(each.name) is GONE]
        return self._mounted(stack, name, source, [*after, *gone], without, dict.fromkeys(held, snapshot))

    def _received(
        self, stack: contextlib.ExitStack, name: str, source: Source, replica: Replica, host: str
    ) -> PreparedSource:
        """Hold and mount what was received last. Where nothing was, the source is missing."""
        dataset = source.dataset or ""
        held = HeldSnapshots(self.zfs, marks.tag_of(self.run_id, self.process, host), self.warn)
        held.release_dead(dataset, host, self.info)
        chosen = stack.enter_context(held.newest(dataset, replica.patience))
        there = self.zfs.datasets(dataset)
        without = unreceived(there, chosen, None if replica.recursive else replica.target)
        if dataset in without:
            return _without_snapshot(name, source, dataset, f"is a replica, and {without[dataset].reason}")
        snapshots = {name: each.name for name, each in chosen.items()}
        prepared = self._mounted(stack, name, source, there, without, snapshots)
        return replace(prepared, roots=tuple(_with_age(root, chosen) for root in prepared.roots))

    def _mounted(
        self,
        stack: contextlib.ExitStack,
        name: str,
        source: Source,
        datasets: Sequence[Dataset],
        without: Mapping[str, Unheld],
        snapshots: Mapping[str, str],
    ) -> PreparedSource:
        """Mount each dataset's snapshot, by its name, in a namespace of our own."""
        dataset = source.dataset or ""
        mountinfo = mount_table(self.zfs.programs.mountinfo)
        mounts = parse_mounts(mountinfo)
        planned = plan(datasets, mounts, mount_at=source.mount_at, skip=source.skip, unheld=without)
        self._refuse(name, planned, mounts, mountinfo)
        stack.enter_context(private_mounts())
        roots = self._mount_all(planned, snapshots, source, mounts)
        lost = self._gone(dataset, roots)
        if lost and len(lost) == len(roots):
            return _without_snapshot(name, source, dataset, f"holds nothing that can be archived: {GONE.reason}")
        left_out = [Omitted(each.dataset or "", GONE.reason, warn=True) for each in lost]
        return PreparedSource(
            name, source, tuple(root for root in roots if root not in lost), (*planned.left_out, *left_out)
        )

    @contextmanager
    def _snapshot(self, dataset: str, snapshot: str, host: str) -> Iterator[None]:
        """Take the snapshot and hold it; release and destroy it when the block ends.

        That it is not there any more to be held is for the caller to find: other snapshots of it may be.
        """
        take = commands.snapshot(dataset, snapshot, marks.marks_of(self.run_id, self.process, host))
        refused = False
        try:
            try:
                self._take(dataset, take)
            except ZfsError as exc:
                refused = exc.ended
                raise
            try:
                self.zfs.call(commands.hold(dataset, snapshot, snapshot), f"cannot hold {dataset}@{snapshot}")
            except ZfsError as exc:
                if MISSING not in exc.said:
                    raise
            yield
        finally:
            if not refused:  # a signal may have come while zfs was at it
                to_the_end(lambda: self._let_go(dataset, snapshot))

    def _take(self, dataset: str, command: tuple[str, ...]) -> None:
        """Snapshot all or none: one child that is destroyed while zfs collects them makes it refuse, so ask again."""
        for tries_left in reversed(range(SNAPSHOT_TRIES)):
            try:
                self.zfs.call(command, f"cannot snapshot {dataset}")
            except ZfsError as exc:
                if not (exc.ended and tries_left and MISSING in exc.said) or _is_not_there(exc, dataset):
                    raise
                continue
            return

    def _gone(self, dataset: str, roots: Iterable[PreparedRoot]) -> list[PreparedRoot]:
        """Return the roots that could not be made ready because their dataset is not there any more."""
        broken = [root for root in roots if root.problem is not None]
        there = {each.name for each in self.zfs.datasets(dataset)} if broken else set()
        return [root for root in broken if root.dataset not in there]

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

    def _mount_all(
        self, planned: Placement, snapshots: Mapping[str, str], source: Source, mounts: Mapping[str, tuple[str, ...]]
    ) -> tuple[PreparedRoot, ...]:
        """Mount every root, parents first; one that another mount covers in the end has a problem."""
        fixed = os.path.normpath(source.mount_at) if source.mount_at else None
        roots = []
        for root in planned.roots:
            unmounted, received = root.dataset not in mounts, self.replica is not None
            make = fixed is not None or (unmounted and received)
            snapshot = snapshots.get(root.dataset or "", "")
            done = self._mount(root, snapshot, make=make, empty=unmounted and root.path != fixed)
            if unmounted and not received:
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

        `make` the folder if it is not there, as that of a replica which was never mounted. `empty`: it has to be, for
        what it holds is of another file system, on which people see it, and would be in no archive.
        """
        if root.problem is not None or root.dataset is None:
            return root
        try:
            if make and not os.path.isdir(root.path):  # noqa: PTH112  # one system call
                make_folder(root.path)
            if problem := _unusable(root.path, empty=empty):
                return replace(root, problem=problem)
            self.zfs.call(commands.mount_snapshot(root.dataset, snapshot, root.path), f"cannot mount {root.dataset}")
        except ZfsError as exc:
            return replace(root, problem=f"cannot be mounted: {exc.said}")
        except OSError as exc:
            if exc.errno == errno.EROFS and self.replica is not None and root.path != (place := self._place(root)):
                note = f"{root.path} is no folder of the dataset above it"
                return self._mount(replace(root, path=place, note=note), snapshot, make=True, empty=empty)
            return replace(root, problem=f"cannot be used, to mount {root.dataset} there: {exc.strerror}")
        return root

    def _place(self, root: PreparedRoot) -> str:
        """Return where a replica is mounted that has no folder, in a snapshot that nobody can make one in."""
        return f"{self.needed['lock folder']}/replicas/{quote(root.dataset or '', safe='')}"

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

    def _let_go_renamed(self, before: Sequence[Dataset], snapshot: str) -> None:
        """Release and destroy snapshots whose datasets were renamed out of the source; `before` are those it had."""
        dataset = before[0].name
        try:
            there = {each.name for each in self.zfs.datasets(dataset)}
        except ZfsError:  # it was renamed or destroyed itself
            there = set()
        if there.issuperset(each.name for each in before):
            return
        try:
            elsewhere = self.zfs.having(dataset.partition("/")[0], snapshot)
        except ZfsError as exc:
            self.warn(f"{exc.message}: a dataset that was renamed may keep its snapshot {snapshot}, held")
            return
        for each in sorted(elsewhere):
            self.info(f"removing {each}@{snapshot}: the dataset was renamed while it was archived")
            self._let_go(each, snapshot)

    def _clean_up_dead(self, dataset: str, host: str) -> None:
        for run_id in marks.dead_snapshots(self.zfs.marks(dataset, marks.KEYS), host, is_alive):
            self.info(f"removing the snapshot that run {run_id} left behind on {dataset}")
            self._let_go(dataset, marks.snapshot_name(run_id))


def _with_age(root: PreparedRoot, chosen: Mapping[str, Snapshot]) -> PreparedRoot:
    snapshot = chosen.get(root.dataset or "")
    return root if snapshot is None else replace(root, snapshot=snapshot.name, snapshot_at=snapshot.created_at)


def _is_not_there(error: ZfsError, dataset: str) -> bool:
    return error.said == f"cannot open '{dataset}': {MISSING}"


def _without_snapshot(name: str, source: Source, dataset: str, problem: str) -> PreparedSource:
    path = os.path.normpath(source.mount_at) if source.mount_at else dataset
    return PreparedSource(name, source, (PreparedRoot(path, dataset, problem),))


def _unusable(folder: str, *, empty: bool) -> str | None:
    if os.path.islink(folder):  # noqa: PTH114  # no Path of it is needed
        return "is a symbolic link, of which borg archives the link alone"
    if not os.path.isdir(folder):  # noqa: PTH112
        return "is not there, so its dataset has no folder to be mounted over: mount it once, or skip it"
    with os.scandir(folder) as entries:
        if empty and next(entries, None) is not None:
            return "holds files although its dataset is not mounted: mount it, after having moved them, or skip it"
    return None
