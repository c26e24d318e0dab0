"""A mail server on loopback for msmtp to talk to, and msmtp's configuration for it."""

from __future__ import annotations

import email.policy
import socket
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path


class Mailbox:
    """Takes every mail and keeps it; `refuse` makes the server turn mails down."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.refuse: str | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:  # the controller wants to know its port beforehand
            self.port: int = free.getsockname()[1]
        self._running = False
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if self.refuse is not None:
            return self.refuse
        self.raw.append(envelope.content)
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"

    def start(self) -> None:
        self._controller.start()
        self._running = True

    def stop(self) -> None:
        """Close the server; a second time changes nothing."""
        if self._running:
            self._running = False
            self._controller.stop()

    def messages(self) -> list[EmailMessage]:
        parser = BytesParser(policy=email.policy.default)
        return [parser.parsebytes(raw) for raw in self.raw]

    def configure(self, path: Path) -> None:
        """Write an msmtp configuration for this server."""
        path.write_text(
            f"account default\nhost 127.0.0.1\nport {self.port}\nfrom bkp@backup.example.com\ntls off\nauth off\n",
            encoding="utf-8",
        )
        path.chmod(0o600)


def text_of(message: EmailMessage, kind: str) -> str:
    """Return the plain or html part of a mail."""
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text
