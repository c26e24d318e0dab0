"""Machines that stay up after the command that started them: `make lab`, `make lab-stop`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import runs, states
from .errors import LabError
from .locks import try_lock
from .paths import Lab, lab

if TYPE_CHECKING:
    from pathlib import Path

    from .progress import Progress
    from .recipe import Release


@dataclass(frozen=True)
class Kept:
    """A machine that stays up.

    Attributes:
        name: as it was started.
        release: of its guest.
        ssh: the command that gets in.
        folder: its disks, console log and control socket.
    """

    name: str
    release: str
    ssh: list[str]
    folder: Path


def machines(where: Lab) -> list[Kept]:
    """Return the machines that stay up and really run."""
    found = []
    for note in sorted(where.runs.glob(f"*/{runs.KEPT}")):
        if runs.process_of(note.parent) is not None:
            said = json.loads(note.read_text("utf-8"))
            found.append(Kept(said["name"], said["release"], said["ssh"], note.parent))
    return found


def keep_up(name: str, release: Release, state: states.State | None, progress: Progress) -> Kept:
    """Start a machine that stays, with its pool unlocked if it has one.

    Raises:
        LabError: one of that name is up already, or it does not boot.
    """
    where = lab()
    runs.sweep(where)
    if any(machine.name == name for machine in machines(where)):
        raise LabError(f"a machine {name!r} is up already: `make lab-stop`, or give this one another --name")
    prepared = states.ensure(state, release, progress)
    machine = prepared.machine(name, where)
    try:
        progress.say("booting")
        machine.start(outlive=True)
        machine.wait_ready()
        if state is not None:
            states.lab_pool(machine).unlock()
        kept = Kept(name, release.name, machine.ssh_command, machine.folder)
        note = {"name": name, "release": release.name, "ssh": kept.ssh}
        (machine.folder / runs.KEPT).write_text(json.dumps(note), "utf-8")
        machine.let_go()
    except BaseException:
        machine.discard()
        raise
    progress.say("up")
    return kept


def stop(where: Lab, name: str | None = None) -> list[str]:
    """End machines that stay up, and remove their disks; return their names."""
    stopped = []
    for machine in machines(where):
        if name in {None, machine.name}:
            hold = try_lock(machine.folder / runs.OWNER)
            if hold is None:
                raise LabError(f"{machine.folder} is in use by another process")
            runs.end(machine.folder)
            runs.remove(machine.folder, hold)
            stopped.append(machine.name)
    return stopped
