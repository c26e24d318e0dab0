"""Which accelerator QEMU gets.

`/dev/kvm` can open on a host whose processor has no virtualisation (inside another virtual machine, say), and then
every guest hangs or dies. KVM is taken only when the processor shows the feature and a virtual processor can really be
made.
"""

from __future__ import annotations

import fcntl
import os
import re
from functools import cache
from pathlib import Path

# linux/kvm.h: _IO(KVMIO, 0x01) and _IO(KVMIO, 0x41)
_KVM_CREATE_VM = 0xAE01
_KVM_CREATE_VCPU = 0xAE41


def cpu_can_virtualise(cpuinfo: str) -> bool:
    """Say whether /proc/cpuinfo shows Intel's or AMD's virtualisation among the flags."""
    return re.search(r"^flags\s*:.*\b(?:svm|vmx)\b", cpuinfo, re.MULTILINE) is not None


def _can_make_vcpu() -> bool:
    descriptors: list[int] = []
    try:
        descriptors.append(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
        descriptors.append(fcntl.ioctl(descriptors[-1], _KVM_CREATE_VM, 0))
        descriptors.append(fcntl.ioctl(descriptors[-1], _KVM_CREATE_VCPU, 0))
    except OSError:
        return False
    finally:
        for descriptor in reversed(descriptors):
            os.close(descriptor)
    return True


@cache
def accelerator() -> str:
    """Return `kvm` or `tcg` for this host; `BKP_LAB_ACCEL` overrides."""
    chosen = os.environ.get("BKP_LAB_ACCEL")
    if chosen:
        return chosen
    cpuinfo = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    return "kvm" if cpu_can_virtualise(cpuinfo) and _can_make_vcpu() else "tcg"


def qemu_options() -> list[str]:
    """Return QEMU's accelerator and processor options.

    Emulated, one processor is faster than two: every new process would have one interrupt the other to drop its cached
    address translations, and wait for it. `rep stosb`, with which the kernel clears pages where ERMS says it is fast,
    is emulated byte by byte. Hashes written for AVX are emulated slower than those without: PBKDF2, with which every
    borg opens its key, took 4.1 s, and 2.6 s where OpenSSL was told to do without AVX.
    """
    if accelerator() == "kvm":
        return ["-accel", "kvm", "-cpu", "host", "-smp", "2"]
    return ["-accel", "tcg", "-cpu", "max,-erms,-fsrm,-avx,-avx2,-f16c,-fma,-vaes", "-smp", "1"]


def kernel_options() -> str:
    """Return what the guest's kernel has to know about the accelerator.

    Emulated on a busy host, the kernel mistakes the speed of the time stamp counter, and its clock then ran four times
    too fast; the HPET is right. Its watchdogs take a host that is busy elsewhere for a hung processor. Programs at
    random addresses are translated anew at each start: fifty times /bin/true took 1.3 s of user time instead of 0.1 s.
    """
    if accelerator() == "kvm":
        return "tsc=reliable"
    return "clocksource=hpet tsc=nowatchdog nowatchdog rcupdate.rcu_cpu_stall_suppress=1 init_on_alloc=0 norandmaps"
