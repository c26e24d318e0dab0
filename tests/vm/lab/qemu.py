"""QEMU's command line as a function of what a machine shall be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import accel
from .disks import DISKS, Disk

if TYPE_CHECKING:
    from pathlib import Path

    from .network import Link

QMP_SOCKET = "qmp"
CONSOLE = "console.log"


@dataclass(frozen=True)
class Hardware:
    """What a machine is made of.

    Attributes:
        folder: the machine's folder: disks, sockets, pid file, console log.
        kernel: the guest's kernel.
        initrd: its initramfs.
        hostname: the guest's name.
        rtc: where its hardware clock starts; None is now. Not before systemd's own build date, which it insists on.
        link: the network to another machine, if there is one.
        memory: MiB.
        disks: data disks.
    """

    folder: Path
    kernel: Path
    initrd: Path
    hostname: str
    rtc: datetime | None = None
    link: Link | None = None
    memory: int = 3072
    disks: tuple[Disk, ...] = field(default=DISKS)


def disk_file(folder: Path, name: str) -> Path:
    """Return where a machine's disk lies; `root` is the root disk's name."""
    return folder / f"{name}.qcow2"


def _block(folder: Path, name: str) -> list[str]:
    # "no-flush" spares the host's disk. What the guest flushed still reaches the host's kernel, so a killed QEMU
    # keeps it: a power cut of the guest is a real one.
    path = str(disk_file(folder, name)).replace(",", ",,")
    options = f"driver=qcow2,node-name={name},file.driver=file,file.filename={path},cache.no-flush=on,discard=unmap"
    return ["-blockdev", options]


def _clock(rtc: datetime | None) -> str:
    base = "utc" if rtc is None else rtc.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"base={base},clock=host"


def command_line(hardware: Hardware, pidfile: Path) -> list[str]:
    """Return the arguments that start this machine. QEMU's working directory has to be the machine's folder."""
    folder = hardware.folder
    append = (
        f"root=/dev/vda rw console=ttyS0 quiet systemd.show_status=false systemd.hostname={hardware.hostname} "
        f"net.ifnames=0 panic=10 mitigations=off {accel.kernel_options()}"
    )
    arguments = [
        *("qemu-system-x86_64", "-name", hardware.hostname, "-machine", "q35", *accel.qemu_options()),
        *("-m", str(hardware.memory)),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd), "-append", append),
        *("-rtc", _clock(hardware.rtc)),
        *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
        *_block(folder, "root"),
        *("-device", "virtio-blk-pci,drive=root,serial=LABROOT"),
        # Port 0: the kernel picks a free one, `info usernet` names it. Nothing in the guest reaches out (restrict).
        *("-netdev", "user,id=host,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"),
        *("-device", "virtio-net-pci,netdev=host,mac=52:54:00:ab:00:00,romfile="),
        *("-chardev", f"file,id=console,path={CONSOLE},append=on", "-serial", "chardev:console"),
        *("-qmp", f"unix:{QMP_SOCKET},server=on,wait=off"),
        *("-pidfile", str(pidfile)),
    ]
    for disk in hardware.disks:
        arguments += _block(folder, disk.name)
        for device in disk.qemu_devices:
            arguments += ["-device", device]
    if hardware.link is not None:
        arguments += hardware.link.qemu_options()
    return arguments
