"""A mail program for tests that does what msmtp would, at once: takes a mail, refuses it, cannot connect, or hangs."""

from __future__ import annotations

import email.policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

Mood = Literal["take", "refuse", "refuse one", "down", "hang", "die"]


class FakeMsmtp:
    """The program `path`; what it took is kept. `mood` is what it does with the next mails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "msmtp-took"
        self.folder.mkdir()
        self.path = folder / "msmtp"
        self.set("take")

    def set(self, mood: Mood, word: str = "never") -> None:
        """`refuse one` refuses mails that hold `word`; `die` takes the mail and kills who sent it."""
        take = f'mv "$new" {self.folder}/$(date +%s%N)'
        refuse = 'echo "msmtp: server message: 554 we do not like you" >&2; exit 69'
        what = {
            "take": take,
            "refuse": refuse,
            "refuse one": f'if grep -q {word} "$new"; then {refuse}; else {take}; fi',
            "down": 'echo "msmtp: cannot connect" >&2; exit 69',
            "hang": "exec sleep 600",
            "die": f"{take}; kill -9 $PPID",
        }[mood]
        text = f'#!/bin/sh\nnew=$(mktemp -p {self.folder.parent}) && cat >"$new"\n{what}\n'
        other = self.path.with_suffix(".new")
        other.write_text(text, encoding="utf-8")
        other.chmod(0o755)
        other.replace(self.path)

    def mails(self) -> list[EmailMessage]:
        """Return what was taken, in order."""
        parser = BytesParser(policy=email.policy.default)
        return [parser.parsebytes(path.read_bytes()) for path in sorted(self.folder.iterdir())]

    def subjects(self) -> list[str]:
        return [mail["Subject"].removeprefix("[bkp] ") for mail in self.mails()]
