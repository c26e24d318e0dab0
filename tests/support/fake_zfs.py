"""Stand-ins for `zfs` and `mount -t zfs` whose pool is a folder. For order and cleaning up only.

Each dataset is a tmpfs, a snapshot of it the same tmpfs mounted read-only: inode and ctime stay, as on ZFS. Marks,
holds and "dataset is busy" are as on ZFS. What real ZFS does is proven in the lab.

    fake_zfs.py POOL-FOLDER zfs|mount ARGUMENTS…
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote

USUAL = {"guid": "1", "inconsistent": "0", "receive_resume_token": "-"}


class Pool:
    """A pool in a folder: datasets.json, live/, snapshots/, and the switch that halts a program at a step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.snapshots = folder / "snapshots"

    def datasets(self, top: str) -> dict[str, dict[str, str]]:
        """Return the datasets at and below `top`."""
        known: dict[str, dict[str, str]] = json.loads((self.folder / "datasets.json").read_text())
        found = {name: facts for name, facts in known.items() if f"{name}/".startswith(f"{top}/")}
        if not found:
            sys.exit(f"cannot open '{top}': dataset does not exist")
        return found

    def live(self, dataset: str) -> Path:
        """Return where the dataset's file system is."""
        return self.folder / "live" / quote(dataset, safe="")

    def file_of(self, snapshot: str) -> Path:
        """Return the file that stands for a snapshot."""
        return self.snapshots / quote(snapshot, safe="@")

    def existing(self) -> dict[str, dict[str, list[list[str]]]]:
        """Return all snapshots, with marks (key, value, source) and holds."""
        return {unquote(path.name): json.loads(path.read_text()) for path in sorted(self.snapshots.iterdir())}

    def write(self, snapshot: str, marks: list[list[str]], holds: list[list[str]]) -> None:
        """Make or change a snapshot."""
        self.file_of(snapshot).write_text(json.dumps({"marks": marks, "holds": holds}))

    def halt(self, step: str) -> None:
        """Wait at a step that the test has named, until it says to go on, or kills us; or fail there."""
        fail = self.folder / "fail"
        if fail.exists() and f"{fail.read_text()} before" == step:
            sys.exit("it fails, because the test wants it to")
        wanted, reached = self.folder / "halt", self.folder / "reached"
        if not wanted.exists() or wanted.read_text() != step:
            return
        wanted.unlink()
        reached.write_text("")
        while reached.exists():
            time.sleep(0.02)


def _of_snapshot(pool: Pool, name: str) -> list[str]:
    dataset, _, short = name.partition("@")
    return [each for each in (f"{one}@{short}" for one in pool.datasets(dataset)) if each in pool.existing()]


def _mounted(snapshot: str) -> bool:
    for entry in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if f" - tmpfs {snapshot} " in entry.read_text().replace("\\040", " "):
                return True
        except OSError:
            continue
    return False


def _row(*cells: str) -> None:
    sys.stdout.write("\t".join(cells) + "\n")


def zfs(pool: Pool, verb: str, *arguments: str) -> None:
    """Do what zfs(8) does with the command lines of bkp.tools.zfs.commands."""
    words, top = arguments[:-1], arguments[-1]
    if verb == "holds":
        for snapshot in arguments[1:]:
            for (tag,) in pool.existing()[snapshot]["holds"]:
                _row(snapshot, tag, "Fri Nov 27 01:00 2026")
    elif verb in {"hold", "release"} and "-r" not in words:
        _hold_each(pool, verb, *arguments)
    elif verb == "list":
        _list(pool, words, top)
    elif verb == "get":
        _get(pool, words, top)
    elif verb == "snapshot":
        _snapshot(pool, words, top)
    else:
        _change(pool, verb, words, top)


def _list(pool: Pool, words: tuple[str, ...], top: str) -> None:
    if "snapshot" in words:
        wanted = words[words.index("-o") + 1].split(",")
        for number, (snapshot, state) in enumerate(pool.existing().items()):
            usual = {"name": snapshot, "guid": "1", "createtxg": str(number), "userrefs": str(len(state["holds"]))}
            created = {key: value for key, value, _ in state["marks"] if key == "creation"}
            if snapshot.startswith((f"{top}@", f"{top}/")):
                _row(*({"creation": "0", **usual, **created}[column] for column in wanted))
        return
    columns = words[words.index("-o") + 1].split(",")
    for name, facts in pool.datasets(top).items():
        _row(*({"name": name, **USUAL, **facts}[column] for column in columns))


def _get(pool: Pool, words: tuple[str, ...], top: str) -> None:
    if words[-1] == "mountpoint":
        _row(pool.datasets(top)[top]["mountpoint"])
        return
    for snapshot, state in pool.existing().items():
        for key in words[-1].split(","):
            value, source = next(((mark[1], mark[2]) for mark in state["marks"] if mark[0] == key), ("-", "-"))
            if snapshot.partition("@")[0] == top:
                _row(snapshot, key, value, source)


def _snapshot(pool: Pool, words: tuple[str, ...], top: str) -> None:
    marks = [[*word.split("=", 1), "local"] for flag, word in pairwise(words) if flag == "-o"]
    dataset, _, short = top.partition("@")
    if _of_snapshot(pool, top):
        sys.exit(f"cannot create snapshot '{top}': dataset already exists")
    known = pool.datasets(dataset)
    pool.halt("snapshot within")
    if lost := sorted({*known} - {*pool.datasets(dataset)}):
        sys.exit(f"cannot create snapshot '{lost[0]}@{short}': dataset does not exist\nno snapshots were created")
    for name, facts in known.items():
        if facts.get("inconsistent") != "1":  # zfs passes over what is still being received
            pool.write(f"{name}@{short}", marks, [])


def _hold_each(pool: Pool, verb: str, tag: str, *snapshots: str) -> None:
    for snapshot in snapshots:
        state = pool.existing().get(snapshot)
        if state is None:
            sys.exit(f"cannot {verb} snapshot '{snapshot}': dataset does not exist")
        if verb == "release" and [tag] not in state["holds"]:
            sys.exit(f"cannot release hold from snapshot '{snapshot}': no such tag on this dataset")
        others = [each for each in state["holds"] if each != [tag]]
        state["holds"] = others + ([[tag]] if verb == "hold" else [])
        pool.file_of(snapshot).write_text(json.dumps(state))


def _change(pool: Pool, verb: str, words: tuple[str, ...], top: str) -> None:
    found, existing = _of_snapshot(pool, top), pool.existing()
    if not found and verb == "hold":
        sys.exit(f"cannot hold snapshot '{top}': dataset does not exist")
    if not found:
        sys.exit(f"could not find any snapshots to {verb}; check snapshot names.")
    for snapshot in found:
        held = [[words[-1]]] if verb == "hold" else []
        if verb == "release" and [words[-1]] not in existing[snapshot]["holds"]:
            sys.exit(f"cannot release hold from snapshot '{snapshot}': no such tag on this dataset")
        if verb == "destroy" and (existing[snapshot]["holds"] or _mounted(snapshot)):
            sys.exit(f"cannot destroy snapshot {snapshot}: dataset is busy")
        if verb != "destroy":
            pool.write(snapshot, existing[snapshot]["marks"], held)
    for snapshot in found if verb == "destroy" else ():
        pool.file_of(snapshot).unlink()


def mount(pool: Pool, *arguments: str) -> None:
    """Mount a snapshot: an empty file system that carries its name, and over it the files, read-only."""
    *_, snapshot, folder = arguments
    if snapshot not in pool.existing():
        sys.exit(f"filesystem '{snapshot}' cannot be mounted: No such file or directory")
    live = pool.live(snapshot.partition("@")[0])
    for command in (
        ("-t", "tmpfs", "-o", "ro", snapshot, folder),
        ("--bind", str(live), folder),
        ("-o", "remount,bind,ro", folder),
    ):
        subprocess.run(["/usr/bin/mount", *command], check=True)


def main() -> None:
    """Be the program that is asked for."""
    pool, program, arguments = Pool(Path(sys.argv[1])), sys.argv[2], sys.argv[3:]
    step = arguments[0] if program == "zfs" else program
    pool.halt(f"{step} before")
    if program == "zfs":
        zfs(pool, *arguments)
    elif program == "mount":
        mount(pool, *arguments)
    pool.halt(f"{step} after")


if __name__ == "__main__":
    main()
