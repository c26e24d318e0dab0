"""The disks every machine has: one of each kind a backup server meets, with serial numbers and world wide names.

Linux names (`sda`, `sdb`, ...) change from boot to boot; everything uses `/dev/disk/by-id`.
"""

from __future__ import annotations

from dataclasses import dataclass

SIZE = "2G"


@dataclass(frozen=True)
class Disk:
    """One data disk.

    Attributes:
        name: the lab's name, also QEMU's node name.
        transport: `sata`, `scsi`, `nvme` or `virtio`.
        serial: what SMART and the by-id links show.
        wwn: 16 hex digits, or empty where the emulation has none.
        device: QEMU's id of what `unplug` removes: the disk, or for SATA (which has no hot-plug there) its controller.
    """

    name: str
    transport: str
    serial: str
    wwn: str
    device: str

    @property
    def by_id(self) -> str:
        """Its stable path in the guest."""
        if self.wwn:
            return f"/dev/disk/by-id/wwn-0x{self.wwn}"
        if self.transport == "virtio":
            return f"/dev/disk/by-id/virtio-{self.serial}"
        return f"/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_{self.serial}"

    @property
    def qemu_devices(self) -> list[str]:
        """QEMU `-device` arguments, outermost first; the drive is the block node named like the disk."""
        port = f"pcie-root-port,id=port-{self.name},chassis={_CHASSIS[self.name]}"
        at = f"bus=port-{self.name}"
        if self.transport == "sata":
            rotation = "1" if "SSD" in self.serial else "7200"
            identity = f"serial={self.serial},wwn=0x{self.wwn},model=LAB SATA DISK,rotation_rate={rotation}"
            disk = f"ide-hd,id={self.name},drive={self.name},bus={self.device}.0,{identity}"
            return [port, f"ich9-ahci,id={self.device},{at}", disk]
        if self.transport == "scsi":
            identity = f"serial={self.serial},wwn=0x{self.wwn},vendor=LAB,product=SAS-DISK,rotation_rate=10000"
            disk = f"scsi-hd,id={self.device},drive={self.name},bus=hba-{self.name}.0,{identity}"
            return [port, f"virtio-scsi-pci,id=hba-{self.name},{at}", disk]
        kind = "nvme" if self.transport == "nvme" else "virtio-blk-pci"
        return [port, f"{kind},id={self.device},drive={self.name},serial={self.serial},{at}"]


POOL0 = Disk("pool0", "sata", "LABHDD0", "5000c500ab000001", "ahci-pool0")
POOL1 = Disk("pool1", "sata", "LABHDD1", "5000c500ab000002", "ahci-pool1")
SPARE = Disk("spare", "sata", "LABSSD2", "5000c500ab000003", "ahci-spare")
SCSI = Disk("scsi", "scsi", "LABSAS3", "5000c500ab000004", "scsi")
NVME = Disk("nvme", "nvme", "LABNVME4", "", "nvme")
VIRTIO = Disk("virtio", "virtio", "LABVIRT5", "", "virtio")

DISKS = (POOL0, POOL1, SPARE, SCSI, NVME, VIRTIO)
_CHASSIS = {disk.name: number for number, disk in enumerate(DISKS, start=1)}
