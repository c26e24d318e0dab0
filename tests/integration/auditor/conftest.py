"""Small backup servers with a real Borg repository, for tests of what the auditor finds on them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.loaded import call_borg, loaded
from tests.support.repositories import is_untouched, make_repository, prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PASSPHRASE = "canary-Zq7-vW4t-9mLqx2Kd"


@dataclass
class Server:
    """A folder with source, repository, passphrase file, key export and configuration."""

    root: Path
    passphrase: str = PASSPHRASE
    lost_on_purpose: bool = False
    template: Path | None = None

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    @property
    def config(self) -> Path:
        return self.root / "config.yml"

    @property
    def key_export(self) -> Path:
        return self.root / "borg-key.txt"

    @property
    def secrets(self) -> dict[str, str]:
        """What opens the repository."""
        return {"BORG_BASE_DIR": str(self.root / "base"), "BORG_PASSPHRASE": self.passphrase}

    def borg(self, *arguments: str, **more: Any) -> str:
        """Run the real borg as its owner would, and return its output."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            **self.secrets,
        }
        environment |= more.pop("environment", {})
        done = call_borg(*arguments, environment=environment)
        assert done.returncode == more.pop("code", 0), done.stderr
        return done.stdout

    def prove(self) -> None:
        """Let borg have the last word on the repository, unless it still is what it was copied from."""
        if self.lost_on_purpose or (self.template and is_untouched(self.repository, self.template / "repository")):
            return
        prove(self.repository, self.secrets)

    def export_key(self) -> None:
        self.borg("key", "export", str(self.repository), str(self.key_export))
        self.key_export.chmod(0o600)

    def wait_little_for_locks(self) -> None:
        """Let the audit's borg give up on a lock after a second; what it then says is the same as after twenty."""
        wrapper = self.root / "borg"
        wrapper.write_text(
            "#!/bin/sh\n"
            'for word; do shift; [ "$before" != --lock-wait ] || word=1; set -- "$@" "$word"; before=$word; done\n'
            f'exec {loaded("borg")} "$@"\n'
        )
        wrapper.chmod(0o755)
        self.config.write_text(self.config_with_borg(wrapper))

    def config_with_borg(self, program: Path | str) -> str:
        """Return the configuration with another program as borg."""
        return self.config.read_text().replace(loaded("borg"), str(program))

    def write_passphrase_file(self) -> None:
        path = self.root / "env"
        path.touch(mode=0o600)
        path.write_text(f"export BORG_PASSPHRASE='{self.passphrase}'\n")

    def program(self, name: str, *arguments: str, config: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of the project's commands on this server; by its path, it is started and not loaded before."""
        before = ["--config", str(self.config)] if config and name == "bkp-run" else []
        return subprocess.run(
            [name if "/" in name else loaded(name), *before, *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def audit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.program("bkp-audit", "--config", str(self.config), *arguments)

    def facts(self) -> dict[str, Any]:
        """Collect the facts with the real command; return each fact's value, or its error as an Exception."""
        target = self.root / "facts.json"
        done = self.program("bkp-audit", "facts", "--config", str(self.config), "-o", str(target))
        assert done.returncode == 0, done.stderr
        saved = json.loads(target.read_text())["facts"]
        return {
            name: RuntimeError(fact["error"]) if "error" in fact else fact.get("value") for name, fact in saved.items()
        }

    def verdicts_on_facts(self) -> dict[str, str]:
        """Judge what `facts` saved last with the real command, without asking borg again."""
        saved, target = self.root / "facts.json", self.root / "report.json"
        self.program("bkp-audit", "--facts", str(saved), "--quiet", "--json", str(target))
        return _verdicts(target)

    def verdicts(self, *arguments: str) -> dict[str, str]:
        """Audit with the real command; return each rule's verdict."""
        target = self.root / "report.json"
        target.unlink(missing_ok=True)
        self.audit("--quiet", "--json", str(target), *arguments)
        return _verdicts(target)


def _verdicts(report: Path) -> dict[str, str]:
    return {result["id"]: result["verdict"] for result in json.loads(report.read_text())["results"]}


def make_server(
    root: Path, *, encryption: str = "repokey-blake2", passphrase: str = PASSPHRASE, template: Path | None = None
) -> Server:
    """Return a server with an initialised repository, its key exported where there is one; or with a template's."""
    root.mkdir(mode=0o700)
    server = Server(root, passphrase, template=template)
    (root / "source").mkdir()
    for number in range(30):
        (root / f"source/file-{number}").write_text(f"content {number}\n" * 20)
    for folder in ("state", "log"):
        (root / folder).mkdir(mode=0o750)
    server.write_passphrase_file()
    if template is not None:
        shutil.copytree(template / "repository", server.repository)
        shutil.copy2(template / "borg-key.txt", server.key_export)
    else:
        make_repository(server.repository, server.secrets, encryption)
        server.repository.chmod(0o700)
        if encryption.startswith(("repokey", "keyfile")):
            server.export_key()
    server.config.touch(mode=0o644)
    server.config.write_text(
        f"""\
schema: 1
paths: {{state: {root}/state, log: {root}/log, lock: {root}/lock}}
repositories:
  main:
    path: {server.repository}
    passphrase_file: {root}/env
    key_export: {server.key_export}
    borg: {loaded("borg")}
    base_dir: {root}/base
    encryption: {encryption}
    sources: [tree]
sources:
  tree: {{path: {root}/source}}
mail: {{when: never}}
audit:
  escrow: [{{name: vaultwarden}}, {{name: codes.hc}}, {{name: locked.hc}}]
"""
    )
    return server


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server as most tests want it: its repository is made and proven once."""
    server = make_server(tmp_path_factory.mktemp("template") / "server")
    server.prove()
    return server.root


@pytest.fixture
def servers(tmp_path: Path, template: Path) -> Iterator[Callable[..., Server]]:
    """Make servers; in the end borg checks the repository of each that was written to."""
    made: list[Server] = []

    def make(encryption: str = "repokey-blake2", passphrase: str = PASSPHRASE) -> Server:
        folder = tmp_path / f"server{len(made) or ''}"
        usual = (encryption, passphrase) == ("repokey-blake2", PASSPHRASE)
        prepared = template if usual else None
        made.append(make_server(folder, encryption=encryption, passphrase=passphrase, template=prepared))
        return made[-1]

    yield make
    for each in made:
        each.prove()


@pytest.fixture
def server(servers: Callable[..., Server]) -> Server:
    return servers()
