"""A machine under QEMU: started from overlays, cut off, started again, its disks pulled."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from . import qmp, runs
from .disks import DISKS, SIZE, Disk
from .errors import GuestError, LabError, WaitError
from .guest import COMMAND_LIMIT, Guest, Result
from .pool import SECTOR
from .qemu import CONSOLE, QMP_SOCKET, Hardware, command_line, disk_file
from .ssh import Ssh, greets

if TYPE_CHECKING:
    from pathlib import Path

    from .image import Image
    from .locks import Hold
    from .network import Link
    from .pool import Block, Pool

BOOT_LIMIT = 1800.0
_QMP_LIMIT = 300.0
_PATIENCE = 5.0  # seconds that a guest has to greet in; one whose network is up refuses at once
_ROOT = "root"


def _create_disk(path: Path, base: Path | None) -> None:
    command = ["qemu-img", "create", "-q", "-f", "qcow2"]
    command += ["-F", "qcow2", "-b", str(base), str(path)] if base is not None else [str(path), SIZE]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"cannot make the disk {path}: {done.stderr.strip()}")


class VirtualMachine(Guest):
    """One machine with disks of its own: overlays of `bases`, or empty where a disk has none.

    The order of use is `start`, `wait_ready`, and `discard` at the end, whatever happened in between.
    """

    abilities = frozenset({"system", "power", "clock", "disks"})

    def __init__(self, name: str, image: Image, bases: dict[str, Path], key: Path, folder: Path, hold: Hold) -> None:
        super().__init__(name, image.release)
        self.folder = folder
        self._hold = hold
        self._image = image
        self._key = key
        self._ssh: Ssh | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Link | None = None
        self._boot_id = ""
        self._clock_ahead = timedelta()
        for disk in (_ROOT, *(disk.name for disk in DISKS)):
            _create_disk(disk_file(folder, disk), bases.get(disk))

    # -- power ----------------------------------------------------------------------------------------------------

    def start(self, *, rtc: datetime | None = None, link: Link | None = None, outlive: bool = False) -> None:
        """Switch the machine on; `wait_ready` waits for it.

        Args:
            rtc: where its clock starts. None: now, plus whatever `set_clock` added in an earlier life.
            link: a network shared with another machine; kept over power cuts.
            outlive: go on after this process ended (`make lab`); otherwise QEMU ends with it, even when it is killed.
        """
        if self.running():
            raise LabError(f"{self.name} is on already")
        if rtc is not None:
            self._clock_ahead = rtc - datetime.now(UTC)
        elif self._clock_ahead:
            rtc = datetime.now(UTC) + self._clock_ahead
        self._link = link or self._link
        for left in (self.folder / QMP_SOCKET, self.folder / runs.PIDFILE):
            left.unlink(missing_ok=True)
        if self._link is not None:
            self._link.socket.unlink(missing_ok=True)
        hardware = Hardware(self.folder, self._image.kernel, self._image.initrd, self.name, rtc=rtc, link=self._link)
        command = command_line(hardware, self.folder / runs.PIDFILE)
        if not outlive:
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def running(self) -> bool:
        """Say whether QEMU runs."""
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, limit: float = BOOT_LIMIT) -> None:
        """Wait until systemd finished booting and ssh answers, in a boot other than the last one seen.

        Raises:
            LabError: QEMU ended, or the limit was reached; with the end of the console.
        """
        try:
            began = time.monotonic()
            port = self._port(limit)
            self._ssh = Ssh(self.folder, self._key, port)
            self.wait_for("ssh to answer after boot", lambda: self._new_boot(port, began), limit)
            self.run("systemctl is-system-running --wait", check=False, limit=limit)
        except (WaitError, GuestError) as error:
            raise LabError(f"{self.name} did not boot: {error}\nconsole:\n{self._console()}") from error

    def _port(self, limit: float) -> int:
        deadline = time.monotonic() + limit
        while True:
            self._still_runs()
            with suppress(LabError):
                usernet = str(self.qmp("human-monitor-command", **{"command-line": "info usernet"}))
                found = re.search(r"HOST_FORWARD\S*\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", usernet)
                if found:
                    return int(found[1])
            if time.monotonic() > deadline:
                raise WaitError(f"{self.name}: QEMU named no port within {limit:.0f} s")
            time.sleep(0.1)

    def _still_runs(self) -> None:
        if not self.running():
            log = (self.folder / "qemu.log").read_text("utf-8", "replace")
            raise LabError(f"QEMU of {self.name} ended: {log.strip() or 'without a word'}\nconsole:\n{self._console()}")

    def _new_boot(self, port: int, began: float) -> bool:
        self._still_runs()
        # A guest that takes long to boot takes long to greet, too.
        patience = max(_PATIENCE, (time.monotonic() - began) / 10)
        if self._ssh is None or not greets(port, patience) or not self._ssh.connect():
            return False
        with suppress(GuestError):
            boot_id = self.run("cat /proc/sys/kernel/random/boot_id", limit=60.0).text
            if boot_id != self._boot_id:
                self._boot_id = boot_id
                return True
        self._ssh.close()
        return False

    def power_cut(self) -> None:
        """Take the power away this instant: what the guest did not flush is lost. `start` switches it on again."""
        if self._process is None:
            raise LabError(f"{self.name} is not on")
        self._disconnect()
        self._process.kill()
        self._process.wait()

    def reboot(self, limit: float = BOOT_LIMIT) -> None:
        """Reboot in an orderly way and wait until the machine is ready again."""
        with suppress(GuestError):
            self.run("systemctl reboot", check=False, limit=60.0)
        self._disconnect()
        self.wait_ready(limit)

    def shut_down(self, limit: float = BOOT_LIMIT) -> None:
        """Power off in an orderly way and wait until the machine is off; its disks stay.

        Raises:
            LabError: it is still on after `limit` seconds.
        """
        if self._process is None:
            raise LabError(f"{self.name} is not on")
        with suppress(GuestError):
            self.run("systemctl poweroff", check=False, limit=60.0)
        self._disconnect()
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} did not power off in {limit:.0f} s\n{self._console()}") from error

    def discard(self) -> None:
        """Switch off at once and remove the machine with its disks. Harmless when that was done before."""
        self._disconnect()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self.folder.exists():
            runs.remove(self.folder, self._hold)

    def let_go(self) -> None:
        """Leave a machine that was started to outlive this process; its folder is nobody's until it is stopped."""
        self._disconnect()
        self._process = None
        self._hold.release()

    def _disconnect(self) -> None:
        if self._ssh is not None:
            self._ssh.close()

    # -- the guest's inside ---------------------------------------------------------------------------------------

    @property
    def ssh_command(self) -> list[str]:
        """What a person types to get in."""
        return self._connection().command

    def _connection(self) -> Ssh:
        if self._ssh is None:
            raise LabError(f"{self.name} was not waited for: call wait_ready() after start()")
        return self._ssh

    def _execute(self, command: str, stdin: bytes | None, limit: float) -> Result:
        try:
            return self._connection().run(command, stdin, limit)
        except GuestError as error:
            raise GuestError(f"{self.name}: {error}") from error

    def push(self, source: Path, target: str) -> None:
        """Copy a file to the path `target`, or a folder's content into the folder `target`; owner is root."""
        archive = ["tar", "-C", str(source if source.is_dir() else source.parent), "--owner=0", "--group=0", "-cf", "-"]
        done = subprocess.run([*archive, "." if source.is_dir() else source.name], capture_output=True, check=True)
        if source.is_dir():
            self.run(f"mkdir -p '{target}' && tar -C '{target}' -xf -", stdin=done.stdout)
        else:
            self.run(f"mkdir -p \"$(dirname '{target}')\" && tar -xOf - > '{target}'", stdin=done.stdout)

    def pull(self, source: str, target: Path) -> None:
        """Copy a file or folder out; `target` is the path it gets here."""
        target.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connection()
        scp = ["scp", "-r", "-q", *connection.copy_options, f"root@127.0.0.1:{source}", str(target.resolve())]
        done = subprocess.run(scp, cwd=self.folder, capture_output=True, text=True, timeout=COMMAND_LIMIT)
        if done.returncode != 0:
            raise GuestError(f"{self.name}: cannot fetch {source}: {done.stderr.strip()}")

    def set_clock(self, moment: datetime) -> None:
        """Set the guest's clock; later lives after a power cut go on from there."""
        super().set_clock(moment)
        self._clock_ahead = moment - datetime.now(UTC)

    def _console(self, lines: int = 40) -> str:
        try:
            text = (self.folder / CONSOLE).read_text("utf-8", "replace")
        except OSError:
            return "(nothing yet)"
        return "\n".join(text.splitlines()[-lines:])

    def diagnosis(self) -> list[tuple[str, str]]:
        """Return the end of the journal and of the serial console."""
        found = [(f"console of {self.name}", self._console())]
        try:
            found.insert(0, (f"journal of {self.name}", self.journal()))
        except LabError as error:
            found.insert(0, (f"journal of {self.name}", f"not to be had: {error}"))
        return found

    def keep_logs(self, folder: Path) -> None:
        """Copy console and QEMU log to a folder that outlives the machine."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (CONSOLE, "qemu.log"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, folder / f"{self.name}-{name}")

    # -- hardware -------------------------------------------------------------------------------------------------

    def qmp(self, command: str, **arguments: object) -> object:
        """Give QEMU one order and return its answer."""
        with qmp.connected(self.folder, QMP_SOCKET, _QMP_LIMIT) as control:
            answer: object = control.execute(command, **arguments)
            return answer

    def unplug(self, disk: Disk) -> None:
        """Pull a disk out of the running machine and wait until the guest let go of it."""
        with qmp.connected(self.folder, QMP_SOCKET, _QMP_LIMIT) as control:
            control.execute("device_del", id=disk.device)
            control.wait_event("DEVICE_DELETED", device=disk.device)

    def unplug_from(self, pool: Pool, disk: Disk) -> None:
        """Pull a disk out of a pool that survives it, and wait until the pool noticed."""
        self.unplug(disk)

        def noticed() -> bool:
            # ZFS learns of it from ZED, which may miss it, or when it next writes to the disk.
            self.run(f"touch {pool.mountpoint}/.written && zpool sync {pool.name}")
            return pool.health() == "DEGRADED"

        self.wait_for("the pool to notice the pulled disk", noticed)
        self.run("rm", f"{pool.mountpoint}/.written")

    def nvme_warn(self, disk: Disk, bits: int) -> None:
        """Set the critical-warning bits of an NVMe disk (NVMe specification): 4 is reliability degraded."""
        path = f"/machine/peripheral/{disk.device}"
        self.qmp("qom-set", path=path, property="smart_critical_warning", value=bits)

    def throttle(self, disk: Disk, bytes_per_second: int) -> None:
        """Let a disk read and write no faster than this; 0 lifts the limit."""
        limits = dict.fromkeys(("bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)
        self.qmp("block_set_io_throttle", id=disk.name, bps=bytes_per_second, **limits)

    def corrupt(self, disk: Disk, blocks: list[Block]) -> None:
        """Overwrite these blocks of a pool's disk with noise, past ZFS."""
        # fsync: ZFS keeps the device open, so closing it does not write dd's pages, and a scrub could read good data.
        write = f"dd if=/dev/urandom of={disk.by_id}-part1 bs={SECTOR} conv=notrunc,fsync status=none"
        for block in blocks:
            self.run(f"{write} seek={block.offset // SECTOR} count={block.size // SECTOR}")
