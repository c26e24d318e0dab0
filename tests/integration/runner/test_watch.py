"""bkp-run watch with the real borg, the real msmtp and a real mail server: one story from fault to end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.state.reading import Readable
from bkp.state.watch import read_watch, write_watch
from tests.support.mailbox import Mailbox, text_of
from tests.support.runner_world import PASSPHRASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.runner_world import World


@pytest.fixture
def mailbox(world: World) -> Iterator[Mailbox]:
    box = Mailbox()
    box.start()
    box.configure(world.root / "msmtprc")
    world.config["mail"] = {
        "to": "root@example.com",
        "sender": "bkp@backup.example.com",
        "config": str(world.root / "msmtprc"),
        "timeout": "60s",
    }
    world.config["watch"] = {"gather": "0s"}
    world.write_config()
    yield box
    box.stop()


def test_a_fault_is_told_once_its_end_too_and_what_a_report_told_not_again(world: World, mailbox: Mailbox) -> None:
    from bkp.config import load_config

    for job in ("nightly", "check", "verify", "drill"):
        world.succeed(job)
    assert "nothing has changed" in world.succeed("watch").stdout
    assert mailbox.raw == []

    world.write_passphrase("wrong")
    assert world.run("check").returncode == 3
    assert len(mailbox.raw) == 1, "the report of the run"
    world.succeed("watch")
    assert len(mailbox.raw) == 1, "which told it"
    world.write_passphrase(PASSPHRASE)
    world.succeed("check")
    assert mailbox.messages()[-1]["Subject"].startswith("[bkp] works again: check of main")
    world.succeed("watch")
    assert len(mailbox.raw) == 2

    record = world.store.job_dir("drill", "main") / "latest.json"
    content = record.read_bytes()
    record.write_bytes(b"{")
    mailbox.stop()
    said = json.loads(world.succeed("watch", "--json").stdout)
    assert said["mail"] == "kept"
    assert {each["what"] for each in said["changes"]} == {"new"}
    assert world.history_of_mails()[-1] == ("watch", "kept")
    record.write_bytes(content)

    again = Mailbox()
    again.start()
    again.configure(world.root / "msmtprc")
    world.succeed("watch")
    (told,) = again.messages()
    assert "state" in text_of(told, "plain")
    assert told["Subject"].startswith("[bkp] WARNING on backup.example.com: ")
    config = load_config(world.config_file)
    reading = read_watch(config)
    assert isinstance(reading, Readable)
    early = timedelta(minutes=40)
    earlier = [
        msgspec.structs.replace(each, gone_at=each.gone_at - early) for each in reading.value.known if each.gone_at
    ]
    write_watch(config, msgspec.structs.replace(reading.value, known=tuple(earlier)))
    world.succeed("watch", "--unit", "--quiet")
    over = again.messages()[-1]
    assert over["Subject"].startswith("[bkp] over on backup.example.com: ")
    assert "it lasted" in text_of(over, "html")
    assert PASSPHRASE.encode() not in b"".join([*mailbox.raw, *again.raw])
    assert world.chain().intact
    again.stop()
