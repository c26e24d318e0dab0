"""The described system's backup server: configuration, passphrase, repository, a tree to back up.

On a machine of the lab everything lies where the shipped configuration has it. On a host that is somebody's own it lies
in one folder of the test's, and nothing of the host is touched.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.vm.lab.onhost import Host
from tests.vm.lab.states import VENV

if TYPE_CHECKING:
    from tests.vm.lab.guest import Guest, Result
    from tests.vm.lab.pool import Pool

PASSPHRASE = "lab granite otter lamp violin tundra"
FILES, IN_CHILD = 300, 100

_CONFIG = """\
schema: 1
lock_wait: {lock_wait}
clock_wait: 0s
{more}
repositories:
  main:
    path: {repository}
    encryption: {encryption}
    sources: [backup]
    passphrase_file: {env}
    key_export: {key}
{more_repository}
sources:
  backup:
    dataset: {dataset}
{more_source}
drill: {{sample_files: {sample_files}}}
audit:
  escrow:
    - {{name: vaultwarden, description: Vaultwarden item, medium: online, holds: [key, passphrase], valid_for: 90d}}
    - {{name: codes.hc, description: VeraCrypt container, medium: container, holds: [key, passphrase], valid_for: 180d}}
    - {{name: locked.hc, description: the same offline, medium: offline, holds: [key, passphrase], valid_for: 180d}}
mail:
  when: {mail}
  to: alerts@example.com
  sender: bkp@server.example.com
"""
# A lab machine's repository is opened by one round of PBKDF2 instead of 100000: emulated, these take a second of each
# borg command. The number is kept beside the key, so every borg opens it all the same.
_ONE_ROUND = "from borg.crypto import key; key.PBKDF2_ITERATIONS = 1; from borg.archiver import main; main()"
_MSMTP = "account default\nhost 127.0.0.1\nport 10025\nfrom bkp@server.example.com\nauth off\ntls off\n"


@dataclass(frozen=True)
class Site:
    """A configured server. Every call to bkp-run is the real program, from the project's own wheel.

    Attributes:
        guest: where it is.
        pool: what it backs up, and where the repository is.
        config, env, key: its configuration, passphrase file and key export.
        state, lock: the state directory and the folder for locks.
        tools: a folder for what the tests put beside it.
        name: of its dataset and repository, where a guest has several sites; empty is the pool's own dataset.
        program: bkp-run; python: an interpreter that imports the project.
        encryption: the mode of its repository, as borg calls it.
    """

    guest: Guest
    pool: Pool
    config: str
    env: str
    key: str
    state: str
    lock: str
    tools: str
    program: str
    python: str
    more: str = ""
    base: str = "/root"
    name: str = ""
    encryption: str = "repokey-blake2"

    @classmethod
    def on(cls, guest: Guest, pool: Pool) -> Site:
        """Return the site of a guest, with nothing made yet."""
        if not isinstance(guest, Host):
            secrets = ("/root/.borg_env", "/root/borg-key.txt")
            folders = ("/var/lib/bkp", "/run/lock/bkp", "/var/tmp/site")
            return cls(guest, pool, "/etc/bkp/config.yml", *secrets, *folders, "bkp-run", f"{VENV}/bin/python")
        folder = str(guest.scratch)
        own = ", ".join(f"{name}: {folder}/{name}" for name in ("state", "log", "lock", "scratch"))
        program = shutil.which(str(Path(sys.executable).parent / "bkp-run")) or shutil.which("bkp-run") or "bkp-run"
        return cls(
            guest,
            pool,
            config=f"{folder}/config.yml",
            env=f"{folder}/env",
            key=f"{folder}/key.txt",
            state=f"{folder}/state",
            lock=f"{folder}/lock",
            tools=f"{folder}/tools",
            program=program,
            python=str(Path(program).resolve().parent / "python"),
            more=f"paths: {{{own}}}",
            base=f"{folder}/borg",
        )

    def beside(self, name: str) -> Site:
        """Return another site of this machine, not made yet: it shares the passphrase and borg's cache only."""
        folder = f"/srv/{name}"
        own = {part: f"{folder}/{part}" for part in ("state", "log", "lock", "scratch")}
        return replace(
            self,
            name=name,
            config=f"{folder}/config.yml",
            key=f"{folder}/key.txt",
            state=own["state"],
            lock=own["lock"],
            more=f"paths: {json.dumps(own)}",
        )

    @property
    def repository(self) -> str:
        """Where the repository is."""
        return f"{self.pool.path(self.pool.borg)}/{self.name or 'backup'}-repo"

    @property
    def dataset(self) -> str:
        """The dataset that is backed up."""
        return f"{self.pool.secure}/{self.name}" if self.name else self.pool.backup

    @property
    def tree(self) -> str:
        """What is backed up."""
        return self.pool.path(self.dataset)

    @property
    def borg(self) -> str:
        """The command line of the real borg, for the shell, as the site's owner would call it."""
        return f"{self._borg_environment} borg"

    @property
    def _borg_environment(self) -> str:
        return f"BORG_BASE_DIR={self.base} BORG_PASSPHRASE='{PASSPHRASE}'"

    def set_up(self) -> None:
        """Make the child dataset, the tree, the passphrase file, the repository, the key export, the configuration."""
        self.guest.write(self.env, f"export BORG_PASSPHRASE='{PASSPHRASE}'\n", mode=0o600)
        self.configure()
        maker = self.borg if isinstance(self.guest, Host) else f"{self._borg_environment} python3 -c '{_ONE_ROUND}'"
        self.guest.script(
            f"""
            mkdir -p {self.tools} {self.base}
            zfs create -p {self.dataset}/child
            for number in $(seq {FILES}); do echo "file $number" > {self.tree}/file-$number; done
            for number in $(seq {IN_CHILD}); do echo "child $number" > {self.tree}/child/file-$number; done
            {maker} init --encryption={self.encryption} {self.repository}
            umask 077 && {self.borg} key export {self.repository} {self.key}
            """
        )

    def configure(
        self,
        *,
        dataset: str | None = None,
        source: str = "",
        repository: str = "",
        mail: str = "never",
        sample_files: int = 10,
        lock_wait: str = "30m",
    ) -> None:
        """Write the configuration; `source` and `repository` are further lines of these sections."""
        own = repository if self.base == "/root" else f"base_dir: {self.base}\n{repository}"
        text = _CONFIG.format(
            repository=self.repository,
            encryption=self.encryption,
            dataset=dataset or self.dataset,
            env=self.env,
            key=self.key,
            more=self.more,
            more_source=_indent(source),
            more_repository=_indent(own),
            mail=mail,
            lock_wait=lock_wait,
            sample_files=sample_files,
        )
        self.guest.write(self.config, text, mode=0o644)

    def bkp_run(self, *arguments: str, check: bool = True) -> Result:
        """Run bkp-run."""
        return self.guest.run(self.program, "--config", self.config, *arguments, check=check)

    def job(self, name: str, *, expect: int = 0) -> dict[str, Any]:
        """Run a job, expect its exit code, and return its record."""
        result = self.bkp_run(name, "--json", check=False)
        assert result.code == expect, result
        record: dict[str, Any] = json.loads(result.stdout)
        return record

    def record(self, job: str = "nightly", kind: str = "latest") -> str:
        """Return where the record of the last attempt is, or of the last success (`kind` is `success`)."""
        return f"{self.state}/jobs/{job}/main/{kind}.json"

    def latest(self, job: str = "nightly") -> dict[str, Any]:
        """Return the record of the last attempt."""
        record: dict[str, Any] = json.loads(self.guest.read(self.record(job)))
        return record

    def history(self) -> list[dict[str, Any]]:
        """Return the recorded runs, oldest first; the chain must hold."""
        found = json.loads(self.bkp_run("history", "--json", "-n", "500").stdout)
        assert found["chain"]["intact"], found["chain"]
        runs: list[dict[str, Any]] = found["runs"]
        return runs

    def archived(self, archive: str) -> list[str]:
        """Return the paths in an archive."""
        return self.guest.run(f"{self.borg} list --short {self.repository}::{archive}").lines

    def left_behind(self) -> list[str]:
        """Return what a run must not leave: snapshots and holds of ours, mounts of snapshots, locks, borg itself."""
        return self.guest.script(
            f"""
            zfs list -H -r -t snapshot -o name {self.pool.name} | sed -n /@bkp-/p
            sed -n /@bkp-/p /proc/mounts
            {{ pgrep -a borg || test $? = 1; }} | sed -n '\\|{self.repository}|p'
            find {self.repository} -maxdepth 1 -name lock.exclusive -o -name lock.roster
            find {self.base}/.cache/borg -name lock.exclusive
            flock --nonblock {self.lock}/repository-main.lock true || echo the lock of main is held
            """
        ).lines

    # -- mail -----------------------------------------------------------------------------------------------------

    def serve_mail(self) -> None:
        """Start a real SMTP server on the machine, and have msmtp send to it."""
        self.guest.write("/root/.msmtprc", _MSMTP, mode=0o600)
        server = "python3 -u -m aiosmtpd -n -c aiosmtpd.handlers.Mailbox -l 127.0.0.1:10025 /var/tmp/mailbox"
        self.guest.start_unit("lab-smtp", f"exec {server}")
        self.guest.wait_until("the mail server", "ss -Hltn 'sport = :10025' | grep -q .")

    def wait_for_mail(self, subject: str) -> str:
        """Wait until a mail whose subject begins so has come; return it as it came."""
        found = f"grep -lsF -- 'Subject: {subject}' /var/tmp/mailbox/new/*"
        self.guest.wait_until(f"a mail {subject!r}", found)
        return self.guest.run(f"cat $({found} | head -n 1)").stdout


def _indent(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.splitlines())
