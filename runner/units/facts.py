"""What the units need to know of this host, besides the configuration."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import UsageError

if TYPE_CHECKING:
    from bkp.config.reports import Mail


@dataclass(frozen=True)
class UnitFacts:
    """`programs` is the folder of bkp-run and its kin, `home` that of the account that the jobs run as."""

    programs: str
    config: str
    home: str = "/root"
    mail_logs: tuple[str, ...] = ()

    def program(self, name: str) -> str:
        """Return the path of one of our programs."""
        return f"{self.programs}/{name}"


def host_facts(config: Path, mail: Mail) -> UnitFacts:
    """Return the facts of this host. Raise `UsageError` where the programs are not beside this Python."""
    # Not resolved: python in a virtual environment is a link out of it, the programs are not.
    folder = Path(sys.executable).parent
    if not os.access(folder / "bkp-run", os.X_OK):
        raise UsageError(
            f"bkp-run is not beside {sys.executable}: units need a path that lasts",
            remedy="install bkp-suite into a virtual environment, such as /opt/bkp, and call bkp-run from there",
        )
    home = "/root"
    return UnitFacts(str(folder), str(config.absolute()), home, _mail_logs(mail, home))


def _mail_logs(mail: Mail, home: str) -> tuple[str, ...]:
    """Return the log files that msmtp is configured to write: it must be able to (msmtp(1), `logfile`)."""
    found = []
    for path in (mail.config,) if mail.config else ("/etc/msmtprc", f"{home}/.msmtprc"):
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for words in map(str.split, lines):
            if len(words) == 2 and words[0] == "logfile" and words[1] != "-":
                log = words[1].strip('"').replace("~", home, 1) if words[1].startswith(("~", '"~')) else words[1]
                found.append(log.strip('"'))
    return tuple(dict.fromkeys(log for log in found if log.startswith("/")))
