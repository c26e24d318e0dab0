"""A tiny backup site for tests: sources, an encrypted repository, a configuration, and bkp-run beside the real borg."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from bkp.state.files import read_record
from bkp.state.ledger import ChainReport, Ledger
from bkp.state.reading import Readable
from bkp.state.records import DrillSample, Run
from bkp.state.store import StateStore
from tests.support.loaded import Answer, call_borg, loaded
from tests.support.repositories import BORG_UNTESTED, is_untouched, prove

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

BKP_RUN = str(Path(sys.executable).parent / "bkp-run")
# Digits and letters only: whatever shows it, in whatever encoding, shows it like this.
PASSPHRASE = f"canary{secrets.token_hex(12)}"


def borg_environment(base: Path, passphrase: str = PASSPHRASE) -> dict[str, str]:
    """Return what borg needs when a test calls it by itself; nothing of it is outside the test's folder."""
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(base),
        "BORG_BASE_DIR": str(base),
        "BORG_PASSPHRASE": passphrase,
        "BORG_SELFTEST": "disabled",  # borg's code is tested by the calls of bkp-run; here it costs a quarter of a call
    }


class World:
    """Everything of one site below one folder."""

    def __init__(self, root: Path, template: Path) -> None:
        self.root, self.template = root, template
        self._bkp_run, self._borg = loaded("bkp-run"), loaded("borg")
        self.state, self.log, self.lock = root / "state", root / "log", root / "lock"
        self.scratch, self.base = root / "scratch", root / "base"
        self.repository, self.docs = root / "repo", root / "docs"
        self.passphrase_file, self.config_file = root / "env", root / "config.yml"
        self.base.mkdir()
        shutil.copytree(template, self.repository)
        self.write_passphrase(PASSPHRASE)
        self.fill(self.docs)
        self.damaged_on_purpose = False
        self.config: dict[str, Any] = {
            "schema": 1,
            "host": "backup.example.com",
            "lock_wait": "5s",
            "clock_wait": "0s",
            "paths": {"state": str(self.state), "log": str(self.log), "lock": str(self.lock)}
            | {"scratch": str(self.scratch)},
            "repositories": {
                "main": {
                    "path": str(self.repository),
                    "borg": self._borg,
                    "base_dir": str(self.base),
                    "passphrase_file": str(self.passphrase_file),
                    "key_export": str(root / "key.txt"),
                    "sources": ["docs"],
                    "archive_prefix": "backup",
                }
            },
            "sources": {"docs": {"path": str(self.docs)}},
            "mail": {"when": "never", "to": "root@example.com"},
        }
        self.write_config()

    # ------------------------------------------------------------ what a test sets up

    @property
    def main(self) -> dict[str, Any]:
        """Return the repository's section of the configuration."""
        section: dict[str, Any] = self.config["repositories"]["main"]
        return section

    def write_config(self) -> None:
        self.config_file.write_text(yaml.safe_dump(self.config), encoding="utf-8")

    def write_passphrase(self, text: str) -> None:
        self.passphrase_file.touch(mode=0o600)
        self.passphrase_file.write_text(f"export BORG_PASSPHRASE='{text}'\n", encoding="utf-8")

    def fill(self, folder: Path, files: int = 6) -> None:
        """Make a small tree, older than any run: the sample leaves out what changed since the run began."""
        for number in range(files):
            path = folder / f"part {number % 2}" / f"file-{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{folder.name} {number}\n" * (number + 1), encoding="utf-8")

    def add_source(self, name: str, **options: Any) -> Path:
        """Configure another source below the site's folder, and make it."""
        path = self.root / name
        self.fill(path)
        self.config["sources"][name] = {"path": str(path), **options}
        self.main["sources"].append(name)
        self.write_config()
        return path

    def wrap_borg(self, script: str) -> Path:
        """Put a shell script in borg's place; in it `exec "$BORG" "$@"` is the real one."""
        path = self.root / "borg-wrapper"
        path.write_text(f"#!/bin/sh\nBORG={self._borg}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        self.main["borg"] = str(path)
        self.write_config()
        return path

    def hold_borg(self, operation: str, then: str = 'exec "$BORG" "$@"') -> Path:
        """Make borg stop before an operation until the returned file exists; see `wait_until_held`."""
        path = self.wrap_borg(
            f'[ "$1" = {operation} ] || exec "$BORG" "$@"\n'
            f'touch "$0.held"; while [ ! -e "$0.go" ]; do sleep 0.05; done; {then}'
        )
        return path.with_name(f"{path.name}.go")

    def wait_until_held(self, process: subprocess.Popen[str]) -> None:
        """Wait until a run has come to the operation that `hold_borg` named."""
        while not (self.root / "borg-wrapper.held").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)

    def kill_a_night_during(self, operation: str) -> None:
        """Begin a nightly and end it with SIGKILL before that operation of borg; borg is the real one again then."""
        self.hold_borg(operation)
        process = self.start("nightly")
        self.wait_until_held(process)
        process.kill()
        process.communicate()
        self.unwrap_borg()

    def unwrap_borg(self) -> None:
        self.main["borg"] = self._borg
        self.write_config()

    def load_nothing_before(self) -> None:
        """Let each call of bkp-run and borg load the program: for tests of what happens to their processes."""
        self._bkp_run, self._borg = BKP_RUN, BORG_UNTESTED
        self.main["borg"] = self._borg
        self.write_config()

    def use_the_usual_borg(self) -> None:
        """Configure no borg, as most sites do: for tests of what is said about the program."""
        del self.main["borg"]
        self.write_config()

    # ------------------------------------------------------------ running

    def start(self, *arguments: str, program: str = BKP_RUN, **options: Any) -> subprocess.Popen[str]:
        """Start bkp-run in the background, in a session of its own so that no signal of a test goes astray."""
        if "nightly" in arguments and "last" in self.main.get("keep", ()):
            self.begin_a_second()
        return subprocess.Popen(
            [program, "--config", str(self.config_file), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            text=True,
            start_new_session=True,
            **options,
        )

    def begin_a_second(self) -> None:
        """Wait for the second's end: archives of the same one have no order, and `keep: last` keeps one of them."""
        time.sleep(1 - time.time() % 1)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run bkp-run, which is loaded already, to its end."""
        process = self.start(*arguments, program=self._bkp_run, env={**os.environ, **(environment or {})})
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def succeed(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run bkp-run and insist on success."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def borg(self, *arguments: str, check: bool = True) -> Answer:
        """Call the real borg by hand, as the site's owner would."""
        done = call_borg(*arguments, environment=borg_environment(self.base))
        assert done.returncode == 0 or not check, f"borg {arguments}: {done}"
        return done

    def archive_by_hand(self, name: str, timestamp: str, *paths: Path) -> None:
        """Make an archive that claims to be from another day."""
        self.borg("create", "--timestamp", timestamp, f"{self.repository}::{name}", *map(str, paths or (self.docs,)))

    def archives(self) -> list[str]:
        """Return the names of all archives, oldest first."""
        found = json.loads(self.borg("list", "--json", str(self.repository)).stdout)
        return [each["name"] for each in found["archives"]]

    # ------------------------------------------------------------ looking

    @property
    def store(self) -> StateStore:
        return StateStore(self.state)

    def latest(self, job: str = "nightly", target: str = "main") -> Run:
        """Return the record of the last attempt."""
        return self._readable(self.store.job_dir(job, target) / "latest.json", Run)

    def last_success(self, job: str = "nightly", target: str = "main") -> Run:
        return self._readable(self.store.job_dir(job, target) / "success.json", Run)

    def sample(self, target: str = "main") -> DrillSample:
        return self._readable(self.store.sample_path(target), DrillSample)

    def _readable(self, path: Path, kind: type[T]) -> T:
        reading = read_record(path, kind)
        assert isinstance(reading, Readable), reading
        return reading.value

    def history(self) -> list[Run]:
        return list(Ledger(self.state / "history.jsonl").runs())

    def history_of_mails(self) -> list[tuple[str, str]]:
        """Return what each mail of the history was about, and what became of it."""
        found: list[tuple[str, str]] = []
        Ledger(self.state / "history.jsonl").walk(
            lambda _run: None, lambda mail: found.append((mail.about, mail.result))
        )
        return found

    def chain(self) -> ChainReport:
        return Ledger(self.state / "history.jsonl").verify()

    def log_text(self, run: Run) -> str:
        assert run.log is not None
        return Path(run.log).read_text(encoding="utf-8")

    def step(self, name: str, run: Run | None = None) -> Any:
        """Return a step of a run (by default of the last nightly)."""
        return next(step for step in (run or self.latest()).steps if step.name == name)

    def files_below(self, *folders: Path) -> Iterable[Path]:
        for folder in folders:
            yield from (path for path in folder.rglob("*") if path.is_file())

    def locks(self) -> list[Path]:
        """Return borg's lock files: empty when no borg holds or has left any.

        `lock.exclusive.XXXX.tmp` is none: a borg that was ended while it asked for a lock may leave such a folder.
        """
        # os.walk passes over a folder that is gone by now, such as the temporary one of a lock that is being taken
        walked = [each for folder in (self.repository, self.base) for each in os.walk(folder)]
        found = [Path(folder) / "lock.exclusive" for folder, folders, _ in walked if "lock.exclusive" in folders]
        for roster in [Path(folder) / "lock.roster" for folder, _, files in walked if "lock.roster" in files]:
            holders = json.loads(roster.read_text(encoding="utf-8") or "{}")  # one that was ended as it wrote: nobody's
            found += [roster] if any(holders.values()) else []
        return found

    def processes(self) -> list[int]:
        """Return every process that has this site's folder in its arguments or its environment."""
        needle, found = str(self.root).encode(), []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                seen = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if needle in seen:
                found.append(int(entry.name))
        return found

    def wait_until_idle(self, seconds: float = 60) -> None:
        """Wait until no process works on this site; fail if one does not go away."""
        deadline = time.monotonic() + seconds
        while left := self.processes():
            assert time.monotonic() < deadline, f"still at work: {left}"
            time.sleep(0.02)

    # ------------------------------------------------------------ the end

    def tear_down(self) -> None:
        """End what a failed test left at work, then let borg judge each repository but untouched and damaged ones."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.damaged_on_purpose:
            return
        for repository in sorted(
            path.parent for path in self.root.glob("*/data") if (path.parent / "config").is_file()
        ):
            if repository != self.repository or not is_untouched(repository, self.template):
                prove(repository, borg_environment(self.base))
