"""The described system's backup server on a lab machine: configuration, passphrase, repository, a tree to back up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.vm.lab.guest import Guest, Result
    from tests.vm.lab.pool import Pool

PASSPHRASE = "lab passphrase of the repository"
ENV, CONFIG, STATE = "/root/.borg_env", "/etc/bkp/config.yml", "/var/lib/bkp"
BORG = f"BORG_PASSPHRASE='{PASSPHRASE}' borg"
FILES, IN_CHILD = 300, 100

_CONFIG = """\
schema: 1
lock_wait: 5m
repositories:
  main:
    path: {repository}
    sources: [backup]
{more_repository}
sources:
  backup:
    dataset: {dataset}
{more_source}
drill: {{sample_files: 10}}
mail:
  when: {mail}
  to: alerts@example.com
  sender: bkp@server.example.com
"""


@dataclass(frozen=True)
class Site:
    """A configured server. Every call to bkp-run is the real program, from the project's own wheel."""

    guest: Guest
    pool: Pool

    @property
    def repository(self) -> str:
        """Where the repository is."""
        return f"{self.pool.path(self.pool.borg)}/backup-repo"

    @property
    def tree(self) -> str:
        """What is backed up."""
        return self.pool.path(self.pool.backup)

    def set_up(self) -> None:
        """Make the child dataset, the tree, the passphrase file, the repository, the key export, the configuration."""
        self.guest.write(ENV, f"export BORG_PASSPHRASE='{PASSPHRASE}'\n", mode=0o600)
        self.configure()
        self.guest.script(
            f"""
            zfs create {self.pool.backup}/child
            for number in $(seq {FILES}); do echo "file $number" > {self.tree}/file-$number; done
            for number in $(seq {IN_CHILD}); do echo "child $number" > {self.tree}/child/file-$number; done
            {BORG} init --encryption=repokey-blake2 {self.repository}
            umask 077 && {BORG} key export {self.repository} /root/borg-key.txt
            """
        )

    def configure(
        self, *, dataset: str | None = None, source: str = "", repository: str = "", mail: str = "never"
    ) -> None:
        """Write the configuration; `source` and `repository` are further lines of these sections."""
        text = _CONFIG.format(
            repository=self.repository,
            dataset=dataset or self.pool.backup,
            more_source=_indent(source),
            more_repository=_indent(repository),
            mail=mail,
        )
        self.guest.write(CONFIG, text, mode=0o644)

    def bkp_run(self, *arguments: str, check: bool = True) -> Result:
        """Run bkp-run."""
        return self.guest.run("bkp-run", *arguments, check=check)

    def job(self, name: str, *, expect: int = 0) -> dict[str, Any]:
        """Run a job, expect its exit code, and return its record."""
        result = self.bkp_run(name, "--json", check=False)
        assert result.code == expect, result
        record: dict[str, Any] = json.loads(result.stdout)
        return record

    def latest(self, job: str = "nightly") -> dict[str, Any]:
        """Return the record of the last attempt."""
        record: dict[str, Any] = json.loads(self.guest.read(f"{STATE}/jobs/{job}/main/latest.json"))
        return record

    def history(self) -> list[dict[str, Any]]:
        """Return the recorded runs, oldest first; the chain must hold."""
        runs: list[dict[str, Any]] = json.loads(self.bkp_run("history", "--json", "-n", "500").stdout)["runs"]
        return runs

    def archived(self, archive: str) -> list[str]:
        """Return the paths in an archive."""
        return self.guest.run(f"{BORG} list --short {self.repository}::{archive}").lines

    def left_behind(self) -> list[str]:
        """Return what a run must not leave: snapshots and holds of ours, mounts of snapshots, locks, borg itself."""
        found = [name for name in self.pool.snapshots() if "@bkp-" in name]
        found += [line for line in self.guest.read("/proc/mounts").splitlines() if "@bkp-" in line]
        found += self.guest.run("pgrep -a borg", check=False).lines
        found += self.guest.run(f"find {self.repository} -maxdepth 1 -name 'lock.*'").lines
        if self.guest.run("flock --nonblock /run/lock/bkp/main.lock true", check=False).code != 0:
            found.append("the lock of main is held")
        return found


def _indent(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.splitlines())
