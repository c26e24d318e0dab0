"""The sections `mail:` and `audit:`: whom reports reach, and what the monthly one asks for."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from bkp.calendar import Schedule
from bkp.config.section import Section
from bkp.config.texts import AbsolutePath, MailAddress, Name
from bkp.config.values import Duration
from bkp.severity import Severity


class Mail(Section, frozen=True, kw_only=True):
    """How reports of runs leave the machine (msmtp(1)). No default says whom they reach."""

    to: MailAddress | None = None
    sender: MailAddress | None = None
    when: Literal["problems", "always", "never"] = "problems"
    msmtp: AbsolutePath = "/usr/bin/msmtp"
    account: Name | None = None
    config: AbsolutePath | None = None
    timeout: Duration = Duration(minutes=1)

    def __post_init__(self) -> None:
        if not self.timeout:
            raise ValueError("timeout is 0: no mail could ever be sent")

    @property
    def recipient(self) -> str:
        """Return who gets the reports. Where any are wanted, the reader of the file has insisted on an address."""
        return self.to or ""


class EscrowLocation(Section, frozen=True, kw_only=True):
    """One place outside this server that holds the key, the passphrase or both."""

    name: Name
    description: str = ""
    medium: Literal["online", "container", "offline"] | None = None
    holds: tuple[Literal["key", "passphrase", "zfs-key", "runbook"], ...] = ("key", "passphrase")
    valid_for: Duration = Duration(days=180)

    def __post_init__(self) -> None:
        if not self.valid_for:
            raise ValueError("valid_for is 0: no attestation of it could ever count")


class Audit(Section, frozen=True, kw_only=True):
    """bkp-audit."""

    schedule: Schedule | None = Schedule("monthly")
    grace: Duration = Duration(hours=24)
    rules: AbsolutePath | None = None
    waivers: AbsolutePath | None = None
    attestations: AbsolutePath | None = None
    fail_on: Severity = "low"
    minimum_applicable: Annotated[float, Meta(ge=0.25, le=1)] = 0.5
    escrow: tuple[EscrowLocation, ...] = ()  # never assumed: the audit would pass on places that nobody has set up

    def __post_init__(self) -> None:
        names = [location.name for location in self.escrow]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"escrow names the location {twice!r} twice: attestations could not tell them apart")
