"""The host's own apt configuration, read when an image is built and never written down.

Mirror, proxy, certificates and keyring of the machine that builds are right for that machine and for no other.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Only what decides how files are fetched; everything else of the host's apt is its own business.
_TRANSPORT = re.compile(r"^Acquire::(?:http|https|Check-Valid-Until|Check-Date|Retries)\b")


@dataclass(frozen=True)
class HostApt:
    """How this host reaches Debian.

    Attributes:
        main: address of the main archive, or None: mmdebstrap's own default is taken.
        security: address of the security archive, or None.
        transport: `apt.conf` lines about proxies, certificates and checks.
    """

    main: str | None
    security: str | None
    transport: tuple[str, ...]

    def sources(self, release: str, *, backports: bool) -> list[str]:
        """Return `sources.list` lines for a release; empty when the host does not know an archive of Debian's."""
        if self.main is None:
            return []
        suites = [(self.main, release), (self.main, f"{release}-updates")]
        if self.security is not None:
            suites.append((self.security, f"{release}-security"))
        if backports:
            suites.append((self.main, f"{release}-backports"))
        return [f"deb [signed-by={KEYRING}] {uri} {suite} main contrib" for uri, suite in suites]


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"`{command[0]} {command[1]}` failed: {done.stderr.strip()}. Repair the host's apt first")
    return done.stdout


def _debian_uri(targets: list[list[str]], suffix: str) -> str | None:
    for fields in targets:
        if len(fields) == 3 and fields[0] == "Debian" and re.fullmatch(rf"[a-z]+{suffix}", fields[1]):
            return fields[2]
    return None


def read_host() -> HostApt:
    """Ask the host's apt (`apt-get indextargets`, `apt-config dump`).

    Raises:
        LabError: apt does not answer, or Debian's keyring is not there.
    """
    if not KEYRING.is_file():
        raise LabError(f"no {KEYRING}: run tests/vm/setup, or: apt-get install debian-archive-keyring")
    listing = _output("apt-get", "indextargets", "--format", "$(ORIGIN)|$(CODENAME)|$(REPO_URI)")
    # The codename of a security archive is "bookworm-security", that of updates "bookworm-updates".
    targets = [line.split("|") for line in sorted(set(listing.splitlines()))]
    transport = tuple(line for line in _output("apt-config", "dump").splitlines() if _TRANSPORT.match(line))
    return HostApt(main=_debian_uri(targets, ""), security=_debian_uri(targets, "-security"), transport=transport)
