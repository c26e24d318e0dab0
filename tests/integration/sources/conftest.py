"""A server with a pool of stand-in ZFS and the real borg, in a mount namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_zfs import Pool
from tests.support.loaded import loaded
from tests.support.mounts import in_own_mounts, mounts_of
from tests.support.repositories import is_untouched, make_repository, prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 120
TOP, CHILD, ODD, OFF = "tank/data", "tank/data/child", "tank/data/Büro 1", "tank/data/off"
FILES = 100  # in each of the three datasets


@dataclass
class Server:
    """The server's folder, its pool, and the process that keeps its mount namespace."""

    folder: Path
    pool: Pool
    anchor: int

    @property
    def tree(self) -> Path:
        """Where the dataset is mounted."""
        return self.folder / "srv/data"

    @property
    def mounts(self) -> dict[str, Path]:
        """Where each dataset is mounted."""
        return {TOP: self.tree, CHILD: self.tree / "child", ODD: self.odd}

    @property
    def odd(self) -> Path:
        """Where a child is that has a mount point of its own."""
        return self.folder / "srv/Büro 1"

    def inside(self, *command: str | Path) -> list[str]:
        """Return a command line that runs where the pool is mounted."""
        return ["nsenter", f"--mount=/proc/{self.anchor}/ns/mnt", "--", *map(str, command)]

    def call(self, *command: str | Path) -> str:
        """Run a command there."""
        environment = {**os.environ, "BORG_BASE_DIR": f"{self.folder}/borg"}
        environment["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
        return subprocess.run(self.inside(*command), check=True, capture_output=True, text=True, env=environment).stdout

    def start(self, target: str = "main") -> subprocess.Popen[str]:
        """Begin a nightly."""
        return self._start(target, sys.executable, "-m", "tests.support.zfs_night")

    def _start(self, target: str, *program: str) -> subprocess.Popen[str]:
        command = self.inside(*program, self.folder / "bin", target, self.folder / "config.yml")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def nightly(self, target: str = "main", *, expect: int = 0) -> dict[str, Any]:
        """Run a nightly, with all that is loaded, to its end and return its record."""
        return self.ended(self._start(target, loaded("zfs-night")), expect=expect)

    def ended(self, process: subprocess.Popen[str], *, expect: int = 0) -> dict[str, Any]:
        """Wait for a nightly's end and return its record."""
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == expect, err + out
        record: dict[str, Any] = json.loads(out)
        return record

    def tell_mounts(self, mounts: dict[str, Path], device: str = "0:0") -> None:
        """Let the kernel's table of mounts say where datasets are mounted: the pool's mounts are of another kind."""
        lines = [f"9 9 {device} / {_escaped(path)} rw - zfs {_escaped(name)} rw\n" for name, path in mounts.items()]
        (self.folder / "bin/mountinfo").write_text("".join(lines))

    def add(self, dataset: str, **facts: str) -> None:
        """Let a dataset come to be."""
        self._write_datasets(self._datasets() | {dataset: {"keystatus": "-", "encryption": "off", **facts}})

    def change(self, dataset: str, **facts: str) -> None:
        """Change properties of a dataset; one with another mount point is not mounted."""
        if "mountpoint" in facts:
            self.tell_mounts({name: path for name, path in self.mounts.items() if name != dataset})
        known = self._datasets()
        self._write_datasets(known | {dataset: known[dataset] | facts})

    def destroy(self, dataset: str) -> None:
        """Take a mounted dataset away with its snapshots, as zfs destroy -r does."""
        for snapshot in self.pool.existing():
            if snapshot.startswith(f"{dataset}@"):
                self.pool.file_of(snapshot).unlink()
        self._write_datasets({name: facts for name, facts in self._datasets().items() if name != dataset})
        self.tell_mounts({name: path for name, path in self.mounts.items() if name != dataset})
        self.call("umount", self.mounts[dataset])
        self.call("rmdir", self.mounts[dataset])

    def rename(self, dataset: str, name: str) -> None:
        """Give a dataset another name, with its snapshots and their holds; what is mounted stays."""
        for snapshot in self.pool.existing():
            if snapshot.startswith(f"{dataset}@"):
                self.pool.file_of(snapshot).rename(self.pool.file_of(snapshot.replace(dataset, name, 1)))
        self._write_datasets({name if known == dataset else known: facts for known, facts in self._datasets().items()})

    def skip(self, dataset: str) -> None:
        """Leave a dataset out on purpose."""
        config = self.folder / "config.yml"
        text = config.read_text()
        if "skip: [" not in text:
            text = text.replace(f"dataset: {TOP}", f"dataset: {TOP}, skip: []")
        config.write_text(text.replace("skip: [", f"skip: [{dataset!r}, ").replace(", ]", "]"))

    def _datasets(self) -> dict[str, dict[str, str]]:
        known: dict[str, dict[str, str]] = json.loads((self.pool.folder / "datasets.json").read_text())
        return known

    def _write_datasets(self, datasets: dict[str, dict[str, str]]) -> None:
        path = self.pool.folder / "datasets.json"
        path.with_suffix(".new").write_text(json.dumps(datasets))
        path.with_suffix(".new").rename(path)

    def halt_at(self, step: str) -> None:
        """Let the next run wait at that step."""
        (self.pool.folder / "halt").write_text(step)

    def wait_halted(self) -> None:
        """Wait until it does."""
        wait_until((self.pool.folder / "reached").exists)

    def fail_at(self, step: str) -> None:
        """Let that step fail from now on."""
        (self.pool.folder / "fail").write_text(step)

    def go_on(self) -> None:
        """Let it go on."""
        (self.pool.folder / "reached").unlink()

    def left(self) -> list[str]:
        """Return the snapshots that are there, and those that anybody has mounted."""
        names = list(self.pool.existing())
        return names + [f"{each} is mounted" for each in names if mounts_of(each.replace(" ", "\\040"))]

    def history(self) -> list[dict[str, Any]]:
        """Return the recorded runs, oldest first."""
        lines = (self.folder / "state/history.jsonl").read_text().splitlines()
        return [run for line in lines if (run := json.loads(line)["run"]) is not None]


def _escaped(text: str | Path) -> str:
    return str(text).replace(" ", "\\040")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def empty_repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two repositories without archives, proven once."""
    folder = tmp_path_factory.mktemp("template")
    for name in ("main", "second"):
        make_repository(folder / name, {"BORG_BASE_DIR": f"{folder}/borg"}, "none")
        prove(folder / name, {"BORG_BASE_DIR": f"{folder}/borg"})
    return folder


@pytest.fixture
def server(tmp_path: Path, empty_repositories: Path) -> Iterator[Server]:
    """A server with two repositories; in the end borg checks each that was written to."""
    assert os.geteuid() == 0, "these tests mount: run them as root"
    pool = Pool(tmp_path / "pool")
    pool.snapshots.mkdir(parents=True)
    with subprocess.Popen(in_own_mounts("sleep", "infinity")) as anchor:
        try:
            outside = Path("/proc/self/ns/mnt").stat().st_ino
            wait_until(lambda: Path(f"/proc/{anchor.pid}/ns/mnt").stat().st_ino != outside)
            wait_until(lambda: Path(f"/proc/{anchor.pid}/comm").read_text().strip() == "sleep")
            found = Server(tmp_path, pool, anchor.pid)
            _give_repositories(found, empty_repositories)
            _fill(found)
            yield found
        finally:
            anchor.kill()
    for name in ("main", "second"):
        if not is_untouched(tmp_path / name, empty_repositories / name):
            prove(tmp_path / name, {"BORG_BASE_DIR": f"{tmp_path}/borg"})


def _give_repositories(server: Server, template: Path) -> None:
    for name in ("main", "second", "borg/.config"):  # what borg knows of them, but not its cache
        shutil.copytree(template / name, server.folder / name)
    for known in (server.folder / "borg").rglob("location"):  # borg asks when a repository it knows is elsewhere
        known.write_text(known.read_text().replace(str(template), str(server.folder)))


def _fill(server: Server) -> None:
    folder = server.folder
    on = {"canmount": "on", "keystatus": "-", "encryption": "off"}
    paths = server.mounts
    datasets = {name: {"mountpoint": str(path), **on} for name, path in paths.items()}
    datasets[OFF] = {"mountpoint": f"{server.tree}/off", **on, "canmount": "off"}
    (server.pool.folder / "datasets.json").write_text(json.dumps(datasets))
    for name, path in paths.items():
        live = server.pool.live(name)
        live.mkdir(parents=True)
        server.call("mount", "-t", "tmpfs", "live", live)
        server.call("mkdir", "-p", path)
        server.call("mount", "--bind", live, path)
        server.call("sh", "-c", f'cd "$1" && for n in $(seq {FILES}); do echo "$n" >"file $n"; done', "sh", path)
    # borg reads a file again that is as new as the newest: let that be one
    server.call("sh", "-c", 'sleep 0.1; echo last >"$1"', "sh", server.tree / "last")
    _programs(server)
    server.tell_mounts(paths)
    sources = f"sources: {{data: {{dataset: {TOP}}}}}"
    repositories = ", ".join(
        f"{name}: {{path: {folder}/{name}, passphrase_file: null, encryption: none, "
        f"base_dir: {folder}/borg, borg: {folder}/bin/borg, sources: [data]}}"
        for name in ("main", "second")
    )
    (folder / "config.yml").write_text(
        f"schema: 1\npaths: {{state: {folder}/state, log: {folder}/log, lock: {folder}/lock}}\n"
        f"repositories: {{{repositories}}}\n{sources}\ndrill: {{sample_files: 5}}\nmail: {{when: never}}\n"
    )


def _programs(server: Server) -> None:
    fake = loaded("fake-zfs")
    (server.folder / "bin").mkdir()
    scripts = {name: f'#!/bin/sh\nexec {fake} {server.pool.folder} {name} "$@"\n' for name in ("zfs", "mount")}
    pool, logs = server.pool.folder, server.folder
    scripts["borg"] = f"""#!/bin/bash
export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
halt() {{
    [[ -f {pool}/halt && $(<{pool}/halt) == "$1" ]] || return
    rm {pool}/halt; touch {pool}/reached
    while [[ -e {pool}/reached ]]; do sleep 0.02; done
}}
step=$1
halt "borg-$step before"
[[ -f {pool}/fail && $(<{pool}/fail) == "borg-$step" ]] && exit 2
[[ $1 == create ]] && {{ shift; set -- create --list "$@"; }}
{loaded("borg")} "$@" 2> >(tee {logs}/$step.log >&2)
code=$?
halt "borg-$step after"
exit $code
"""
    for name, text in scripts.items():
        path = server.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
