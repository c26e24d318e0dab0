"""A canary: the passphrase is in its own file and in borg's pipe, and nowhere else, however a run goes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bkp.clock import utc_now
from exporter.exposition import Exposer
from exporter.model import build_model
from exporter.reading import ConfigWatch, HostReader
from tests.support.mailbox import Mailbox, text_of
from tests.support.runner_world import BKP_RUN, PASSPHRASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.runner_world import World

CANARY = PASSPHRASE.encode()


class Watcher:
    """Reads, again and again, the arguments and environment of every process there is."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = [each.encode() for each in (PASSPHRASE, *secrets)]
        self.seen: dict[str, bytes] = {}
        self.borgs: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        passed_over = {str(os.getpid()), *_kernel_threads()}
        while not self._stop.is_set():
            for name in os.listdir("/proc"):  # noqa: PTH208  # hundreds of times a second
                if name.isdigit() and name not in passed_over:
                    self._look(name)
            time.sleep(0.003)

    def _look(self, pid: str) -> None:
        for kind in ("cmdline", "environ"):
            try:
                content = Path("/proc", pid, kind).read_bytes()
            except OSError:
                continue
            if any(each in content for each in self._secrets):
                self.seen[f"{pid}/{kind}"] = content
            if kind == "cmdline" and b"/usr/bin/borg" in content:
                self.borgs.add(int(pid))


def _kernel_threads() -> set[str]:
    """Return the kernel's own threads, which have neither arguments nor environment: all are children of the second."""
    found = {"2"}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if status.read_text(errors="replace").rpartition(")")[2].split()[1] == "2":
                found.add(status.parent.name)
    return found


@pytest.fixture
def mailbox(world: World) -> Iterator[Mailbox]:
    box = Mailbox()
    box.start()
    box.configure(world.root / "msmtprc")
    world.config["mail"] = {"to": "root@example.com", "when": "always", "config": str(world.root / "msmtprc")}
    world.write_config()
    yield box
    box.stop()


def _leaks(world: World, mailbox: Mailbox, said: list[str]) -> list[str]:
    """Return where the canary is although it must not be."""
    found = [
        str(path)
        for path in world.files_below(world.root)
        if path != world.passphrase_file and CANARY in path.read_bytes()
    ]
    found += [f"mail {index}" for index, raw in enumerate(mailbox.raw) if CANARY in raw]
    for message in mailbox.messages():
        found += [f"mail's {kind} part" for kind in ("plain", "html") if PASSPHRASE in text_of(message, kind)]
    return found + [f"output: {text[:200]}" for text in said if PASSPHRASE in text]


def test_the_passphrase_is_nowhere_but_in_its_file_and_in_borgs_pipe(world: World, mailbox: Mailbox) -> None:
    world.load_nothing_before()
    said: list[str] = []

    def run(*arguments: str, code: int = 0) -> None:
        done = world.run(*arguments)
        said.extend([done.stdout, done.stderr])
        assert done.returncode == code, (arguments, done)

    with Watcher() as watcher:
        run("nightly", "--dry-run")
        run("nightly")
        run("nightly", "--json")
        run("check")
        run("drill", "--json")
        run("list", "--json")
        run("restore", "latest", "--to", str(world.root / "restored"))
        run("status", code=3)
        run("history", "--json")
        run("config", "check")

        # the passphrase is right, but nothing else is
        world.wrap_borg('echo "nonsense $* $BORG_PASSPHRASE"; env >&2; ls -l /proc/self/fd >&2; exit 2')
        run("nightly", code=3)
        # a borg that tells what it was told
        world.wrap_borg(
            'secret=$(cat "/dev/fd/$BORG_PASSPHRASE_FD")\n'
            'printf \'%s\\n\' "plain $secret" "borg: $secret" \'{"type":"log_message","levelname":"ERROR",'
            '"name":"x","msgid":"\'"$secret"\'","message":"json \'"$secret"\'"}\' >&2\n'
            'echo "$secret"; exit 1'
        )
        run("nightly", code=3)
        run("check", "--json", code=3)
        done = world.run("list")
        said.extend([done.stdout, done.stderr])
        assert done.returncode == 3

    assert len(watcher.borgs) > 10, "the watcher must have seen the borgs at work"
    assert watcher.seen == {}
    assert _leaks(world, mailbox, said) == []


def test_what_lies_at_a_location_is_nowhere_but_there(world: World, mailbox: Mailbox) -> None:
    """Key and passphrase as a person brings them, right and wrong, to each command that takes them."""
    world.load_nothing_before()
    world.config["audit"] = {"escrow": [{"name": "safe"}]}
    world.write_config()
    said: list[str] = []
    wrong = f"{PASSPHRASE}wrong"
    world.succeed("nightly")
    key = Path(world.main["key_export"])
    world.succeed("export-key")
    text = key.read_text()
    secrets = text.split("\n")[1:-1]
    brought = ("--location", "safe", "--by", "A. Operator", "--key")
    attest = ("-c", str(world.config_file), "attest")

    def run(*words: str, given: str = "", code: int = 0) -> None:
        program = str(Path(BKP_RUN).with_name(words[0]))
        done = subprocess.run([program, *words[1:]], input=given, capture_output=True, text=True, check=False)
        assert done.returncode == code, (words, done)
        said.extend([done.stdout, done.stderr])

    with Watcher(*secrets) as watcher:
        for passphrase, code in ((PASSPHRASE, 0), (wrong, 3)):
            drill = ("--config", str(world.config_file), "escrow-drill", *brought, str(key), "--passphrase-fd", "0")
            run("bkp-run", *drill, given=passphrase, code=code)
        world.succeed("export-key", "--to", str(key))
        run("bkp-audit", "fingerprint", "-", given=text)
        run("bkp-audit", "fingerprint", "-", given=text[:400], code=2)
        by = ("safe", "--by", "A. Operator", "--stdin")
        run("bkp-audit", *attest, "key", *by, given=text)
        run("bkp-audit", *attest, "key", *by, given=text.replace(secrets[1], secrets[2]), code=1)
        run("bkp-audit", *attest, "passphrase", *by, given=PASSPHRASE)
        run("bkp-audit", *attest, "passphrase", *by, given=wrong, code=1)
        run("bkp-audit", *attest, given=f"A. Operator\n{key}\n{wrong}\n", code=1)
        run(
            "bkp-audit",
            *attest[:2],
            "--json",
            str(world.root / "report.json"),
            "--html",
            str(world.root / "r.html"),
            code=1,
        )
        run("bkp-audit", *attest, "list", code=0)

    assert len(watcher.borgs) > 5, "the watcher must have seen the borgs at work"
    assert watcher.seen == {}
    look = HostReader(ConfigWatch(world.config_file, utc_now), utc_now).read()
    said.append(Exposer("test").expose(build_model(look)).text.plain.decode())
    assert "bkp_escrow_level" in said[-1]
    assert _leaks(world, mailbox, said) == []
    hidden = [path for path in world.files_below(world.root) if world.repository not in path.parents and path != key]
    shown = [*(path.read_text(errors="replace") for path in hidden), *said, *map(str, mailbox.messages())]
    assert not [line for line in secrets for each in shown if line in each]


def test_a_wrong_passphrase_is_as_secret_as_the_right_one(world: World, mailbox: Mailbox) -> None:
    world.load_nothing_before()
    canary = f"{PASSPHRASE}wrong"
    world.write_passphrase(canary)
    with Watcher() as watcher:
        done = world.run("nightly")
    assert done.returncode == 3
    assert watcher.seen == {}
    assert _leaks(world, mailbox, [done.stdout, done.stderr]) == []


def test_a_dry_run_writes_nothing(world: World) -> None:
    before = sorted(path for path in world.root.rglob("*"))
    for job in ("nightly", "check", "verify", "drill"):
        done = world.succeed(job, "--dry-run")
        assert "***" in done.stdout
        assert PASSPHRASE not in done.stdout + done.stderr
        assert str(world.repository) in done.stdout
    assert sorted(path for path in world.root.rglob("*")) == before
