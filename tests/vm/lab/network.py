"""How machines reach each other: QEMU's own datagram sockets in a folder between them, not the host's network.

A datagram socket has no connection to lose: either machine may be cut off and started again, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SERVER, LIVE = 1, 2


@dataclass(frozen=True)
class Link:
    """One end of a network of two machines.

    Attributes:
        segment: the folder of both ends' sockets, beside the machines' own folders.
        number: `SERVER` or `LIVE`; the last part of the address, which the guest knows as `server` or `live`.
    """

    segment: Path
    number: int

    @property
    def address(self) -> str:
        """The machine's address on this network (TEST-NET-1, which is nobody's)."""
        return f"192.0.2.{self.number}"

    @property
    def socket(self) -> Path:
        """This end's socket; QEMU makes it, and wants it not to be there."""
        return self.segment / str(self.number)

    def qemu_options(self) -> list[str]:
        """Return QEMU's network options; its working directory is the machine's folder, which keeps paths short."""
        here = f"../{self.segment.name}/{self.number}"
        there = f"../{self.segment.name}/{SERVER + LIVE - self.number}"
        netdev = f"dgram,id=lan,local.type=unix,local.path={here},remote.type=unix,remote.path={there}"
        # The guest knows its address by this hardware address, see image/late/etc/systemd/network.
        device = f"virtio-net-pci,netdev=lan,mac=52:54:00:ab:01:0{self.number},romfile="
        return ["-netdev", netdev, "-device", device]
