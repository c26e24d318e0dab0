"""Prepared states: disks that later machines start from, so that no test waits twice for the same preparation.

A state is made once by a machine of its own, which starts from the parent state (or the image), is prepared, powered
off, and whose disks then become read-only bases. The states and what they hold::

    image ─ POOL          the encrypted pool; root may ssh from one machine of this state to another
             └ DEPENDENCIES   /opt/bkp: a virtual environment with the locked runtime dependencies
                 └ PROJECT    the project's own wheel in it, commands linked into /usr/local/bin

A state's folder name carries a hash over everything it was made from, so it is made again exactly when that changes.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import disks, image, pool, runs, shelf, wheels
from .disks import DISKS, POOL0, POOL1
from .locks import Hold, exclusive
from .paths import Lab, lab
from .qemu import disk_file
from .virtual import VirtualMachine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .guest import Guest
    from .progress import Progress
    from .recipe import Release

VENV = "/opt/bkp"
_NAMES = ("root", *(disk.name for disk in DISKS))


@dataclass(frozen=True)
class State:
    """A preparation step.

    Attributes:
        name: short; part of the folder name.
        parent: the state it starts from; None is the image.
        inputs: given a release, everything besides the parent that decides what comes out, as texts to hash.
        prepare: does it, on a machine that is up.
    """

    name: str
    parent: State | None
    inputs: Callable[[Preparation], list[str]]
    prepare: Callable[[Preparation, VirtualMachine], None]


@dataclass(frozen=True)
class Preparation:
    """What preparing needs to know: for which release, in which lab, and where to report."""

    release: Release
    where: Lab
    progress: Progress


@dataclass(frozen=True)
class Prepared:
    """Disks to start from.

    Attributes:
        image: the image at the bottom, for kernel and initramfs.
        bases: disk name to backing file; disks that are not named start empty.
        folders: image and states it stands on, held shared while a machine uses them.
    """

    image: image.Image
    bases: dict[str, Path]
    folders: tuple[Path, ...]

    def machine(self, name: str, where: Lab) -> VirtualMachine:
        """Return a machine with fresh overlays of these disks, not started yet."""
        folder, hold = runs.claim(where, name)
        try:
            return VirtualMachine(name, self.image, self.bases, where.key, folder, hold)
        except BaseException:
            runs.remove(folder, hold)
            raise

    def in_use(self) -> list[Hold]:
        """Hold everything below, so that nobody removes it."""
        return [shelf.use(folder) for folder in self.folders]


def ensure(state: State | None, release: Release, progress: Progress, where: Lab | None = None) -> Prepared:
    """Return the prepared state for this release; make it, and what it stands on, when it is not there yet.

    Args:
        state: which one; None is the bare image.

    Raises:
        LabError: the image could not be built, or the preparation failed.
    """
    where = where or lab()
    return _ensure(state, Preparation(release, where, progress))


def _ensure(state: State | None, preparation: Preparation) -> Prepared:
    release, where, progress = preparation.release, preparation.where, preparation.progress
    if state is None:
        built = image.ensure(release, progress.part(f"image {release.name}"), where)
        return Prepared(built, {"root": built.root}, (built.folder,))
    parent = _ensure(state.parent, preparation)
    folder = where.states / f"{release.name}-{state.name}-{_digest(state, parent, preparation)}"
    prepared = Prepared(parent.image, {name: disk_file(folder, name) for name in _NAMES}, (*parent.folders, folder))
    if not folder.is_dir():
        with exclusive(where.root / f"state-{release.name}-{state.name}.lock", waiting=progress.say):
            if not folder.is_dir():
                _make(state, parent, folder, preparation)
                shelf.prune(where.states, f"{release.name}-{state.name}-*", folder)
    return prepared


def _digest(state: State, parent: Prepared, preparation: Preparation) -> str:
    digest = hashlib.sha256()
    for text in (parent.folders[-1].name, state.name, *state.inputs(preparation)):
        digest.update(text.encode("utf-8") + b"\0")
    return digest.hexdigest()[:12]


def _make(state: State, parent: Prepared, final: Path, preparation: Preparation) -> None:
    progress = preparation.progress.part(f"{preparation.release.name} {state.name}")
    with ExitStack() as stack:
        for hold in parent.in_use():
            stack.callback(hold.release)
        machine = parent.machine(f"make-{state.name}", preparation.where)
        stack.callback(machine.discard)
        progress.say("booting")
        machine.start()
        machine.wait_ready()
        progress.say("preparing")
        state.prepare(preparation, machine)
        progress.say("powering off")
        machine.shut_down()
        work = Path(tempfile.mkdtemp(prefix="state-", dir=preparation.where.building))
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        for name in _NAMES:
            disk_file(machine.folder, name).rename(disk_file(work, name))
        work.chmod(0o755)
        work.rename(final)
        progress.say("ready")


def _source(*modules: object) -> list[str]:
    return [Path(str(vars(module)["__file__"])).read_text("utf-8") for module in modules]


def _pool_inputs(_preparation: Preparation) -> list[str]:
    return [*_source(disks, pool), _POOL_SETUP]


# Machines of this state know each other's host key and root's own key, because they are copies of one another.
_POOL_SETUP = """
ssh-keygen -q -t ed25519 -N '' -C lab-root -f /root/.ssh/id_ed25519
cat /root/.ssh/id_ed25519.pub >> /root/.ssh/authorized_keys
sed 's/^/server,live,192.0.2.1,192.0.2.2 /' /etc/ssh/ssh_host_ed25519_key.pub > /root/.ssh/known_hosts
# Each connection is cheaper without the key exchange that resists quantum computers, and without asking for a logind
# that is masked.
echo 'KexAlgorithms curve25519-sha256' > /etc/ssh/sshd_config.d/exchange.conf
sed -i /pam_systemd.so/d /etc/pam.d/common-session
"""


def lab_pool(guest: Guest) -> pool.Pool:
    """Return the pool that the state POOL holds, on a machine that started from it."""
    return pool.Pool(guest, "tank", (POOL0.by_id, POOL1.by_id))


def _make_pool(_preparation: Preparation, machine: VirtualMachine) -> None:
    machine.script(_POOL_SETUP)
    lab_pool(machine).create()


_INSTALL_DEPENDENCIES = f"""
python3 -m venv {VENV}
{VENV}/bin/pip install --quiet --no-index --find-links /var/tmp/wheels --require-hashes -r /var/tmp/wheels/runtime.txt
rm -r /var/tmp/wheels
"""


def _dependencies_inputs(_preparation: Preparation) -> list[str]:
    return [wheels.lock_digest(), _INSTALL_DEPENDENCIES]


def _install_dependencies(preparation: Preparation, machine: VirtualMachine) -> None:
    house, hold = wheels.wheelhouse(preparation.release.python, preparation.where, preparation.progress)
    machine.push(house, "/var/tmp/wheels")
    hold.release()
    machine.script(_INSTALL_DEPENDENCIES)


_INSTALL_PROJECT = f"""
{VENV}/bin/pip install --quiet --no-index --no-deps /var/tmp/project/*.whl
rm -r /var/tmp/project
for command in bkp-run bkp-exporter bkp-audit; do ln -s {VENV}/bin/$command /usr/local/bin/; done
"""


def _project_inputs(_preparation: Preparation) -> list[str]:
    _, content = wheels.project_wheel()
    return [hashlib.sha256(content).hexdigest(), _INSTALL_PROJECT]


def _install_project(_preparation: Preparation, machine: VirtualMachine) -> None:
    name, content = wheels.project_wheel()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        machine.push(Path(folder), "/var/tmp/project")
    machine.script(_INSTALL_PROJECT)


POOL = State("pool", None, _pool_inputs, _make_pool)
DEPENDENCIES = State("dependencies", POOL, _dependencies_inputs, _install_dependencies)
PROJECT = State("project", DEPENDENCIES, _project_inputs, _install_project)
