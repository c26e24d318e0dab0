"""Building a guest's root image: mmdebstrap for the packages, DKMS for the ZFS module, one ext4 file system.

A build happens in a folder of its own and becomes an image by one rename, so an interrupted build leaves nothing that
counts. Builders of one release wait for each other. Everything a build starts lives in a mount and process namespace
of its own and ends with it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import debian, prerequisites, shelf
from .kernel import unpack
from .locks import exclusive
from .paths import Lab, lab
from .recipe import ROOT_SIZE, Recipe, Release

if TYPE_CHECKING:
    from .progress import Progress

_MANIFEST_PACKAGES = (
    *("zfs-dkms", "zfsutils-linux", "borgbackup", "smartmontools", "sanoid", "msmtp", "systemd", "python3"),
    *("openssh-server", "prometheus", "cryptsetup"),
)


@dataclass(frozen=True)
class Image:
    """A finished image.

    Attributes:
        release: what it boots.
        folder: holds `vmlinux`, `initrd`, `root.qcow2`, `manifest.json`.
    """

    release: Release
    folder: Path

    @property
    def kernel(self) -> Path:
        """The guest's kernel, booted directly."""
        return self.folder / "vmlinux"

    @property
    def initrd(self) -> Path:
        """The initramfs that belongs to it."""
        return self.folder / "initrd"

    @property
    def root(self) -> Path:
        """The root disk; only ever opened as the backing file of an overlay."""
        return self.folder / "root.qcow2"

    @property
    def manifest(self) -> dict[str, Any]:
        """What is in the image: release, kernel, package versions, seconds that each phase took."""
        loaded: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        return loaded


def ensure_key(where: Lab) -> str:
    """Return the public key of the lab, made on first use. It opens guests of this user's lab and nothing else."""
    with exclusive(where.root / "key.lock", waiting=lambda _: None):
        if not where.key.is_file():
            prerequisites.require({"ssh-keygen": "openssh-client"})
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bkp-lab", "-f", str(where.key)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return where.key.with_suffix(".pub").read_text("utf-8").strip()


def find(release: Release, where: Lab | None = None) -> Image | None:
    """Return the image of the present recipe, or None when there is none yet."""
    where = where or lab()
    folder = where.images / Recipe(release, ensure_key(where)).image_name
    return Image(release, folder) if (folder / "manifest.json").is_file() else None


def ensure(release: Release, progress: Progress, where: Lab | None = None) -> Image:
    """Return the image of the present recipe; build it when there is none.

    Raises:
        LabError: something the build needs is missing, or a step of it failed; the log is named.
    """
    where = where or lab()
    found = find(release, where)
    if found is not None:
        return found
    prerequisites.require(prerequisites.TO_BUILD | prerequisites.TO_RUN)
    prerequisites.require_root_for_build()
    with exclusive(where.root / f"build-{release.name}.lock", waiting=progress.say):
        found = find(release, where)  # another builder may have made it while this one waited
        if found is not None:
            return found
        return _build(Recipe(release, ensure_key(where)), where, progress)


def _build(recipe: Recipe, where: Lab, progress: Progress) -> Image:
    release = recipe.release
    for left in where.building.glob(f"image-{release.name}-*"):
        debian.remove(left)
    log = where.root / f"build-{release.name}.log"
    work = Path(tempfile.mkdtemp(prefix=f"image-{release.name}-", dir=where.building))
    work.chmod(0o755)
    phases: dict[str, float] = {}
    progress.say(f"building {recipe.image_name}, log in {log}")
    try:
        with log.open("w", encoding="utf-8") as output:
            builder = _Builder(recipe, work, output.fileno())
            for phase, step in builder.phases():
                progress.say(phase)
                before = progress.elapsed
                step()
                phases[phase] = round(progress.elapsed - before, 1)
        _write_manifest(work, recipe, phases)
        debian.remove(work / "root")
        debian.remove(work / "config")
        final = where.images / recipe.image_name
        work.rename(final)
    except subprocess.CalledProcessError as error:
        raise debian.failed(f"{release.name} image", error, log) from error
    finally:
        debian.remove(work)
    debian.give_to_caller(where)
    shelf.prune(where.images, f"{release.name}-{'[0-9a-f]' * 12}", final)
    progress.say(f"image {recipe.image_name} is ready")
    return Image(release, final)


class _Builder:
    """The phases of one build, each a command or two with output to the log."""

    def __init__(self, recipe: Recipe, work: Path, log: int) -> None:
        self._recipe = recipe
        self._work = work
        self._root = work / "root"
        self._log = log

    def phases(self) -> list[tuple[str, _Step]]:
        """Return each phase's title and the step that does it."""
        return [
            ("packages and ZFS module (4 to 10 minutes)", self.bootstrap),
            ("file system", self.file_system),
            ("compressing", self.compress),
        ]

    def _run(self, *command: str) -> None:
        debian.run(*command, work=self._work, log=self._log)

    def bootstrap(self) -> None:
        """Make the root tree: packages, configuration, and the `customize` script, which builds the module."""
        recipe = self._recipe
        config = self._configuration()
        options: list[str] = []
        if recipe.release.backports:
            options += ['--setup-hook=mkdir -p "$1"/etc/apt/preferences.d']
            options += [f'--setup-hook=cp {config}/pin "$1"/etc/apt/preferences.d/lab']
        # Licence notes and questions of zfs-dkms would otherwise wait for a terminal that is not there.
        answers = "zfs-dkms zfs-dkms/note-incompatible-licenses note"
        options += [
            f'--essential-hook=echo {answers} | chroot "$1" debconf-set-selections',
            f"--essential-hook=sync-in {config}/early /",
            f"--customize-hook=sync-in {config}/late /",
            f'--customize-hook=cp {config}/customize "$1"/root/customize',
            '--customize-hook=chroot "$1" /root/customize',
            '--customize-hook=rm "$1"/root/customize',
        ]
        self._run(*debian.command(recipe.release, recipe.packages, self._work, options))

    def _configuration(self) -> Path:
        """Lay out what hooks copy in. The authorised key is not part of the checkout, so it is added here."""
        config = self._work / "config"
        shutil.copytree(self._recipe.folder, config)
        ssh = config / "late" / "root" / ".ssh"
        ssh.mkdir(parents=True)
        (ssh / "authorized_keys").write_text(self._recipe.public_key + "\n", "utf-8")
        pin = f"Package: src:zfs-linux\nPin: release n={self._recipe.release.suite}-backports\nPin-Priority: 900\n"
        (config / "pin").write_text(pin, "utf-8")
        for path in (config / "late").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return config

    def file_system(self) -> None:
        """Put the tree into one ext4 file system, and kernel and initramfs beside it for the direct boot."""
        kernel = (self._root / "etc" / "lab-kernel").read_text("ascii").strip()
        packed = (self._root / "boot" / f"vmlinuz-{kernel}").read_bytes()
        # The guest's own zstd, which its initramfs needs: the host may have none.
        unpacked = unpack(packed, zstd=("chroot", str(self._root), "zstd"))
        (self._work / "vmlinux").write_bytes(unpacked)
        shutil.copy(self._root / "boot" / f"initrd.img-{kernel}", self._work / "initrd")
        for name in ("vmlinux", "initrd"):
            (self._work / name).chmod(0o644)
        options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        raw = str(self._work / "root.raw")
        self._run("mkfs.ext4", "-q", "-F", "-L", "lab-root", "-E", options, "-d", str(self._root), raw, ROOT_SIZE)

    def compress(self) -> None:
        """Turn it into qcow2, which stores only what is used."""
        raw = self._work / "root.raw"
        self._run("qemu-img", "convert", "-O", "qcow2", str(raw), str(self._work / "root.qcow2"))
        raw.unlink()


if TYPE_CHECKING:
    from collections.abc import Callable

    _Step = Callable[[], None]


def _write_manifest(work: Path, recipe: Recipe, phases: dict[str, float]) -> None:
    root = work / "root"
    query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\\n"]
    done = subprocess.run([*query, *_MANIFEST_PACKAGES], capture_output=True, text=True, check=True)
    manifest = {
        "release": recipe.release.name,
        "recipe": recipe.digest,
        "kernel": (root / "etc" / "lab-kernel").read_text("ascii").strip(),
        "packages": dict(line.split(" ", 1) for line in done.stdout.splitlines()),
        "seconds": phases,
    }
    (work / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
