"""The kernel without its packing.

A packed kernel unpacks itself first: emulated, Debian 12's (xz) took 9 s for that at each boot, Debian 13's (zstd) 2 s.
QEMU starts an unpacked one directly (by its PVH entry).
"""

from __future__ import annotations

import lzma
import struct
import subprocess

from .errors import LabError

# Offsets in the image, and what they hold: Documentation/arch/x86/boot.rst of Linux, "The Real-Mode Kernel Header".
_MAGIC, _MAGIC_OFFSET = b"HdrS", 0x202
_SETUP_SECTORS, _PAYLOAD_OFFSET, _PAYLOAD_LENGTH = 0x1F1, 0x248, 0x24C
_SECTOR = 512


def payload(vmlinuz: bytes) -> bytes:
    """Return the packed kernel inside a bzImage.

    Raises:
        LabError: it is no bzImage.
    """
    if not vmlinuz.startswith(_MAGIC, _MAGIC_OFFSET):
        raise LabError("the guest's kernel has no boot header: it is no bzImage")
    sectors = vmlinuz[_SETUP_SECTORS] or 4
    (start,) = struct.unpack_from("<I", vmlinuz, _PAYLOAD_OFFSET)
    (length,) = struct.unpack_from("<I", vmlinuz, _PAYLOAD_LENGTH)
    begin = (sectors + 1) * _SECTOR + start
    return vmlinuz[begin : begin + length]


def unpack(vmlinuz: bytes, zstd: tuple[str, ...]) -> bytes:
    """Return the ELF file that a bzImage unpacks at boot.

    Args:
        vmlinuz: the bzImage.
        zstd: the command line of zstd(1), for a kernel that is packed so.

    Raises:
        LabError: it is no bzImage, packed in a way that is not known here, or damaged.
    """
    packed = payload(vmlinuz)
    # Its length, unpacked, follows the packed kernel.
    packed, length = packed[:-4], packed[-4:]
    if packed.startswith(b"\xfd7zXZ\0"):
        try:
            unpacked = lzma.decompress(packed)
        except lzma.LZMAError as error:
            raise LabError(f"the guest's kernel is damaged: {error}") from error
    elif packed.startswith(b"\x28\xb5\x2f\xfd"):
        command = [*zstd, "--decompress", "--stdout", "--quiet"]
        unpacked = subprocess.run(command, input=packed, stdout=subprocess.PIPE, check=True).stdout
    else:
        raise LabError(f"the guest's kernel is packed neither by xz nor by zstd: it begins with {packed[:6].hex()}")
    if not unpacked.startswith(b"\x7fELF") or len(unpacked).to_bytes(4, "little") != length:
        raise LabError("the guest's kernel did not unpack into the ELF file that its end announces")
    return unpacked
