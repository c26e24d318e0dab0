"""The drill of an escrowed key: with the real borg, in every mode that has a key, and with every wrong copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.attest.proof import of_export, of_passphrase
from auditor.attest.site import Site
from bkp.attestations.file import append_attestations, read_attestations
from bkp.brought import read_export
from bkp.clock import utc_now
from bkp.config import load_config
from bkp.errors import BkpError, RefutedError, UsageError
from bkp.secrets import Secret
from bkp.state.fields import Outcome
from bkp.state.results import EscrowResult
from tests.support.repositories import BORG
from tests.support.runner_world import BKP_RUN, PASSPHRASE, World, borg_environment
from tests.unit.attestations.test_attestation_file import attestation

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = "another-canary-Xy7"
MODES = ("repokey-blake2", "keyfile-blake2", "repokey", "keyfile")
PLACES = "codes.hc, locked.hc"


def prepare(world: World) -> Path:
    """Configure the locations, make a night, and return the key as it is exported then."""
    places = [{"name": "codes.hc"}, {"name": "locked.hc"}, {"name": "safe", "holds": ["runbook"]}]
    world.config["audit"] = {"escrow": places}
    world.write_config()
    world.succeed("nightly")
    world.succeed("export-key")
    return Path(world.main["key_export"])


def words(key: Path, place: str = "codes.hc", *more: str) -> list[str]:
    """Return a drill's command line after the program's own part; the passphrase comes on standard input."""
    by = ["--location", place, "--by", "A. Operator", "--key", str(key), "--passphrase-fd", "0"]
    return ["escrow-drill", *by, *more]


def drill(
    world: World, key: Path, passphrase: str = PASSPHRASE, *more: str, place: str = "codes.hc"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BKP_RUN, "--config", str(world.config_file), *words(key, place, *more)],
        input=passphrase,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def traces(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in [folder, *folder.rglob("*")]}


def change_passphrase(world: World) -> None:
    environment = borg_environment(world.base) | {"BORG_NEW_PASSPHRASE": OTHER}
    subprocess.run([BORG, "key", "change-passphrase", str(world.repository)], env=environment, check=True)
    world.write_passphrase(OTHER)


def anew(world: World, mode: str) -> None:
    """Make another repository in the place of the one that is there."""
    shutil.rmtree(world.repository)
    world.borg("init", "--encryption", mode, str(world.repository))


def attestations(world: World) -> Path:
    return world.state / "attestations.jsonl"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of another repository."""
    folder = tmp_path_factory.mktemp("foreign")
    for call in (["init", "-e", "repokey", str(folder / "r")], ["key", "export", str(folder / "r"), str(folder / "k")]):
        subprocess.run([BORG, *call], env=borg_environment(folder), check=True, capture_output=True)
    return folder / "k"


def why_not(ask: Callable[[], object]) -> str:
    """Return the sentence with which `bkp-audit attest` refuses."""
    with pytest.raises(BkpError) as caught:
        ask()
    assert isinstance(caught.value, RefutedError | UsageError)
    assert caught.value.remedy
    return caught.value.message


@pytest.mark.parametrize("mode", MODES)
def test_every_copy_of_the_key_is_told_for_what_it_is_by_fingerprint_attest_and_drill(
    world: World, foreign: Path, mode: str
) -> None:
    if mode != "repokey-blake2":
        anew(world, mode)
        world.main["encryption"] = mode
    key = prepare(world)
    old, truncated = world.root / "old.txt", world.root / "truncated.txt"
    shutil.copy(key, old)
    assert key.stat().st_mode & 0o777 == 0o600
    before = traces(world.repository)
    done = drill(world, key)
    assert done.returncode == 0, done.stderr
    assert traces(world.repository) == before
    assert list(Path(world.config["paths"]["scratch"]).iterdir()) == []
    run = world.latest("escrow-drill")
    assert isinstance(run.result, EscrowResult)
    assert run.result.restored is not None
    assert run.result.restored.is_good
    found = read_attestations(attestations(world))
    assert found.problem is None
    assert [(each.topic, each.subject, each.level) for each in found.records] == [
        ("borg-key", "codes.hc", "opened"),
        ("borg-passphrase", "codes.hc", "opened"),
    ]
    assert {each.bound_to for each in found.records} == {run.key_fingerprint}

    change_passphrase(world)
    world.succeed("export-key", "--replace")
    truncated.write_text(key.read_text()[:500])
    before = traces(world.repository)
    site = Site(load_config(world.config_file), utc_now())
    told = {path: read_export(str(path)) for path in (key, old, foreign)}
    assert told[old].repository_id == told[key].repository_id != told[foreign].repository_id
    assert len({each.fingerprint for each in told.values()}) == 3
    assert of_export(site, "codes.hc", told[key], None).level == "matched"
    for given, passphrase, code, sentence in (
        (old, PASSPHRASE, 3, "is a key of main, but not the one in use"),
        (foreign, PASSPHRASE, 3, "is the key of another repository"),
        (truncated, OTHER, 2, "is a damaged key export: it is cut short"),
        (world.config_file, OTHER, 2, "is not a key export"),
    ):
        asked = why_not(lambda given=given: of_export(site, "codes.hc", read_export(str(given)), None))  # type: ignore[misc]
        assert sentence in asked
        done = drill(world, given, passphrase)
        assert (done.returncode, sentence in done.stderr, "remedy:" in done.stderr) == (code, True, True), done.stderr
    assert "does not open main" in why_not(lambda: of_passphrase(site, "codes.hc", Secret(PASSPHRASE), None))
    done = drill(world, key, PASSPHRASE)
    assert done.returncode == 3
    assert "is the right one, but the passphrase from there does not open it" in done.stderr
    assert of_passphrase(site, "codes.hc", Secret(OTHER), None).level == "matched"
    assert traces(world.repository) == before
    assert read_attestations(attestations(world)) == found, "nothing was attested by what was refused"

    anew(world, mode)
    world.write_passphrase(PASSPHRASE)
    site, sentence = Site(load_config(world.config_file), utc_now()), "is the key of the repository that was main until"
    assert sentence in why_not(lambda: of_export(site, "codes.hc", told[key], None))
    done = drill(world, key, OTHER)
    assert (done.returncode, sentence in done.stderr) == (3, True), done.stderr
    (noticed,) = world.latest("escrow-drill").messages[:1]
    assert "it is another repository than in the run before" in noticed.text


def test_a_change_of_key_is_noticed_by_whichever_job_runs_next(world: World) -> None:
    key = prepare(world)
    config = world.repository / "config"
    first = (config.read_text(), PASSPHRASE, key.read_text())
    change_passphrase(world)
    world.succeed("export-key", "--replace")
    second = (config.read_text(), OTHER, key.read_text())
    for number, job in enumerate(("check", "verify", "drill", "prune", "nightly")):
        text, passphrase, _ = (second, first)[number % 2]
        config.write_text(text)
        world.write_passphrase(passphrase)
        noticed = world.run(job, "--json")
        assert noticed.returncode == 1, noticed.stderr
        (message,) = [each["text"] for each in json.loads(noticed.stdout)["messages"] if "was changed" in each["text"]]
        assert f"outdated are the copies at {PLACES}" in message
    assert world.run("check").returncode == 0, "it is told once; the concern stays until the copies are renewed"
    config.write_text(first[0])
    key.write_text(first[2])
    done = drill(world, key, PASSPHRASE, "--json")
    assert done.returncode == 1, done.stderr
    assert "its key or passphrase was changed" in done.stdout


def test_a_key_is_exported_over_no_other_one_and_opens_a_copy_of_the_repository_too(world: World) -> None:
    key = prepare(world)
    old, in_use = key.read_bytes(), world.repository / "config"
    first = in_use.read_text()
    copy = world.root / "copy"
    shutil.copytree(world.repository, copy)
    change_passphrase(world)
    refused = world.run("export-key")
    assert refused.returncode == 2
    assert "another key lies there" in refused.stderr
    whole = in_use.read_text()
    in_use.write_text(whole[: whole.index("key = ") + 80] + "\n")
    damaged = world.run("export-key", "--replace")
    in_use.write_text(whole)
    assert damaged.returncode == 3, damaged.stderr
    assert "what borg exported is a damaged key export" in damaged.stderr
    nowhere = world.run("export-key", "--to", str(world.root / "not-mounted" / "key.txt"))
    assert (nowhere.returncode, (world.root / "not-mounted").exists()) == (2, False)
    assert "is no folder of this server" in nowhere.stderr
    assert key.read_bytes() == old
    said = world.succeed("export-key", "--replace").stdout
    assert f"outdated, or not attested for this key: {PLACES}" in said

    assert "no escrow location is called 'codes.hx'" in drill(world, key, OTHER, place="codes.hx").stderr
    assert "does not say that safe holds the key" in drill(world, key, OTHER, place="safe").stderr
    assert not attestations(world).exists()
    unusual = world.root / "unusual.txt"
    unusual.write_text("\n" + key.read_text())
    done = drill(world, unusual, OTHER)
    assert done.returncode == 1, "it opens, but borg would not import it as it is"
    assert world.latest("escrow-drill").outcome is Outcome.WARNING

    shutil.move(world.repository / "data", world.root / "taken")  # only the copy can give anything back
    before = traces(copy)
    done = drill(world, key, OTHER, "--copy", str(copy))
    assert done.returncode == 0, done.stderr
    assert traces(copy) == before
    result = world.latest("escrow-drill").result
    assert isinstance(result, EscrowResult)
    assert (result.copy, result.restored is not None and result.restored.is_good) == (str(copy), True)
    assert "opened a copy of main through an overlay" in read_attestations(attestations(world)).records[-1].statement
    shutil.move(world.root / "taken", world.repository / "data")

    world.succeed("nightly")
    done = drill(world, key, OTHER, "--copy", str(copy))
    assert done.returncode == 3
    assert "it opens, but does not list" in done.stderr
    assert "copy again, then drill" in done.stderr
    (copy / "config").write_text((copy / "config").read_text().replace("\nid = ", "\nid = 00"))
    done = drill(world, key, OTHER, "--copy", str(copy))
    assert (done.returncode, "is another repository (id 00" in done.stderr) == (3, True), done.stderr
    done = drill(world, key, OTHER, "--copy", str(world.docs))
    assert (done.returncode, "is no copy of a repository" in done.stderr) == (2, True), done.stderr
    world.main["path"] = "ssh://backup@example.com/./repo"
    world.write_config()
    for more in ([], ["--dry-run"]):
        done = drill(world, key, OTHER, *more)
        assert (done.returncode, "name a copy of it with --copy" in done.stderr) == (2, True), done.stderr
    assert drill(world, key, OTHER, "--dry-run", "--copy", str(copy)).returncode == 0
    shutil.rmtree(copy)
    in_use.write_text(first)


# Looks at the repository and at the attestations before every step that changes a file, and counts the steps: whenever
# the power goes, what is there is what was seen before one of them.
_AT_EVERY_STEP = """
import os, sys
from pathlib import Path
repository, attested, counted, *words = sys.argv[1:]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.truncate", "os.chmod",
         "os.chown", "os.utime", "fcntl.flock", "subprocess.Popen", "os.posix_spawn", "os.fork"}
def look():
    found = [(folder, os.lstat(folder).st_mtime_ns) for folder, _, _ in os.walk(repository)]
    for folder, _, files in os.walk(repository):
        for name in files:
            facts = os.lstat(os.path.join(folder, name))
            found.append((name, facts.st_size, facts.st_mtime_ns))
    return found, Path(attested).read_bytes().count(b"\\n")
from bkp.attestations.file import read_attestations
before, steps, inside, seen = look()[0], 0, False, set()
def hook(event, arguments):
    global steps, inside
    if inside or not (event in STEPS or event == "open" and arguments[2] and arguments[2] & WRITES):
        return
    inside = True
    now, lines = look()
    if now != before or read_attestations(Path(attested)).problem is not None:
        os.write(2, f"at {event} {arguments}".encode())
        os._exit(99)
    seen.add(lines)
    steps += 1
    inside = False
sys.addaudithook(hook)
from runner.cli import main
try:
    sys.argv = ["bkp-run", *words]
    main()
except SystemExit as ended:
    code = ended.code
inside = True
Path(counted).write_text(f"{steps} {sorted(seen)} {code}")
"""


def test_at_every_step_of_a_drill_the_repository_is_as_it_was_and_the_chain_whole_and_after_sigkill_too(
    world: World,
) -> None:
    key = prepare(world)
    append_attestations(attestations(world), [attestation()])
    counted = world.root / "counted"
    looked_at = (str(world.repository), str(attestations(world)), str(counted))
    done = subprocess.run(
        [sys.executable, "-c", _AT_EVERY_STEP, *looked_at, "--config", str(world.config_file), *words(key)],
        input=PASSPHRASE,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    steps, _, rest = counted.read_text().partition(" ")
    assert int(steps) > 50
    assert rest == "[1, 3] 0", "both lines came at once"

    attested, before = read_attestations(attestations(world)), traces(world.repository)
    world.hold_borg("extract")
    read, write = os.pipe()
    os.write(write, PASSPHRASE.encode())
    os.close(write)
    process = world.start(*words(key)[:-1], str(read), pass_fds=(read,))
    os.close(read)
    world.wait_until_held(process)
    process.kill()
    process.communicate()
    world.wait_until_idle()
    assert traces(world.repository) == before
    assert read_attestations(attestations(world)) == attested
    world.unwrap_borg()
    done = drill(world, key)
    assert done.returncode == 0, done.stderr
    assert traces(world.repository) == before
    assert list(Path(world.config["paths"]["scratch"]).iterdir()) == []
    assert len(read_attestations(attestations(world)).records) == 5
    assert world.history()[-2].outcome is Outcome.INTERRUPTED
