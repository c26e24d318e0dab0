"""msmtp(1): hands a finished message to a mail server. It alone knows accounts and passwords."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.errors import BkpError
from bkp.tools.process import Command, clean_environment, run

if TYPE_CHECKING:
    from bkp.config.reports import Mail

_EXIT = {  # sysexits.h, which msmtp follows
    64: "its command line is not understood",
    65: "the message is not understood",
    68: "the mail host is not found",
    69: "the mail server cannot be reached",
    70: "an internal error",
    71: "a system error",
    73: "a file cannot be created",
    74: "an input or output error",
    75: "a temporary failure of the mail server",
    76: "the mail server answered out of protocol",
    77: "it may not read its configuration, or the login was refused",
    78: "its configuration is not valid",
}


_LOGIN_REFUSED = 77
_REFUSAL = re.compile(r"server message: 5[0-9][0-9]")


@dataclass(frozen=True)
class NotSent:
    """Why a mail was not sent. `by_server`: the server could be had, and will not take this mail (SMTP's 5xx)."""

    reason: str
    by_server: bool = False


def arguments(mail: Mail) -> tuple[str, ...]:
    """Return msmtp's command line; recipients come from the message's own headers (--read-recipients)."""
    return (
        mail.msmtp,
        *(("--file", mail.config) if mail.config else ()),
        *(("--account", mail.account) if mail.account else ()),
        *(("--from", mail.sender) if mail.sender else ()),
        "--read-recipients",
    )


def send(mail: Mail, message: bytes) -> NotSent | None:
    """Send a message; return None when the mail server took it, else why not. Never raises for a failed delivery."""
    command = Command(argv=arguments(mail), environment=clean_environment(), stdin=message)
    try:
        completed = run(command, timeout=mail.timeout.total_seconds(), grace=5.0)
    except BkpError as exc:
        return NotSent(exc.message)
    if completed.timed_out:
        return NotSent(f"msmtp took longer than {mail.timeout}")
    if completed.exit_code == 0:
        return None
    lines = completed.stderr_tail.decode("utf-8", "replace").split("\n")
    # the last line is always that it could not send; what the server answered comes before it
    said = "; ".join(dict.fromkeys(line.strip().removeprefix("msmtp: ") for line in lines if line.strip()))
    why = _EXIT.get(completed.exit_code, f"exit code {completed.exit_code}")
    by_server = completed.exit_code != _LOGIN_REFUSED and _REFUSAL.search(said) is not None
    return NotSent(f"msmtp: {why}{': ' + said[:400] if said else ''}", by_server)
