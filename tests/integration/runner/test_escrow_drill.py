"""The drill of an escrowed key: with the real borg, in every mode that has a key, and with every wrong copy."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bkp.attestations.file import read_attestations
from bkp.state.fields import Outcome
from bkp.state.results import EscrowResult
from tests.support.runner_world import BKP_RUN, PASSPHRASE, World

OTHER = "another-canary-Xy7"


def prepare(world: World) -> Path:
    """Configure the locations, make a night, and return the key as it is exported then."""
    places = [{"name": "codes.hc"}, {"name": "locked.hc"}, {"name": "safe", "holds": ["runbook"]}]
    world.config["audit"] = {"escrow": places}
    world.write_config()
    world.succeed("nightly")
    world.succeed("export-key")
    return Path(world.main["key_export"])


def drill(
    world: World, key: Path, passphrase: str = PASSPHRASE, *more: str, place: str = "codes.hc"
) -> subprocess.CompletedProcess[str]:
    words = ["escrow-drill", "--location", place, "--by", "A. Operator", "--key", str(key), "--passphrase-fd", "0"]
    return subprocess.run(
        [BKP_RUN, "--config", str(world.config_file), *words, *more],
        input=passphrase,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def traces(world: World) -> dict[str, tuple[int, int]]:
    found = [world.repository, *world.repository.rglob("*")]
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in found}


def everything_written(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in world.files_below(world.state, world.log, world.lock))


@pytest.mark.parametrize("mode", ["repokey-blake2", "keyfile-blake2", "repokey", "keyfile"])
def test_key_and_passphrase_of_a_location_open_the_repository_which_is_only_read(world: World, mode: str) -> None:
    if mode != "repokey-blake2":
        shutil.rmtree(world.repository)
        world.main["encryption"] = mode
        world.borg("init", "--encryption", mode, str(world.repository))
    key = prepare(world)
    before, export = traces(world), key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    if mode.startswith("keyfile"):  # opened with what was brought, not with what this server has
        (keyfile,) = (world.base / ".config/borg/keys").iterdir()
        keyfile.rename(world.root / "hidden")
        (world.base / ".config/borg/keys").joinpath(keyfile.name).write_text(export)
    done = drill(world, key)
    assert done.returncode == 0, done.stderr
    assert traces(world) == before
    assert list(Path(world.config["paths"]["scratch"]).iterdir()) == []
    run = world.latest("escrow-drill")
    assert isinstance(run.result, EscrowResult)
    assert run.result.restored is not None
    assert run.result.restored.is_good
    found = read_attestations(world.state / "attestations.jsonl")
    assert found.problem is None
    assert [(each.topic, each.subject, each.level) for each in found.records] == [
        ("borg-key", "codes.hc", "opened"),
        ("borg-passphrase", "codes.hc", "opened"),
    ]
    assert {each.bound_to for each in found.records} == {run.key_fingerprint}
    shown = everything_written(world) + (done.stdout + done.stderr).encode()
    for secret in (PASSPHRASE, *export.splitlines()[1:]):
        assert secret.encode() not in shown


def test_every_wrong_copy_has_its_own_sentence_and_a_change_of_key_is_noticed_by_the_next_run(world: World) -> None:
    key = prepare(world)
    old, foreign, truncated = (world.root / name for name in ("old.txt", "foreign.txt", "truncated.txt"))
    shutil.copy(key, old)
    truncated.write_text(key.read_text()[:500])
    world.borg("init", "--encryption", "repokey", str(world.root / "other"))
    world.borg("key", "export", str(world.root / "other"), str(foreign))
    environment = {**os.environ, "BORG_BASE_DIR": str(world.base)}
    environment |= {"BORG_PASSPHRASE": PASSPHRASE, "BORG_NEW_PASSPHRASE": OTHER}
    subprocess.run(["borg", "key", "change-passphrase", str(world.repository)], env=environment, check=True)
    world.write_passphrase(OTHER)

    noticed = world.run("check", "--json")
    assert noticed.returncode == 1
    (message,) = json.loads(noticed.stdout)["messages"]
    assert "its key or passphrase was changed" in message["text"]
    assert "outdated are the copies at codes.hc, locked.hc" in message["text"]
    assert world.run("check").returncode == 0, "it is told once; the concern stays until the copies are renewed"

    refused = world.run("export-key")
    assert refused.returncode == 2
    assert "another key lies there" in refused.stderr
    in_use = world.repository / "config"
    whole = in_use.read_text()
    in_use.write_text(whole[: whole.index("key = ") + 80] + "\n")
    damaged = world.run("export-key", "--replace")
    in_use.write_text(whole)
    assert damaged.returncode == 3, damaged.stderr
    assert "what borg exported is a damaged key export" in damaged.stderr
    assert key.read_bytes() == old.read_bytes()
    nowhere = world.run("export-key", "--to", str(world.root / "not-mounted" / "key.txt"))
    assert (nowhere.returncode, (world.root / "not-mounted").exists()) == (2, False)
    assert "is no folder of this server" in nowhere.stderr
    assert key.read_bytes() == old.read_bytes()
    assert (
        "outdated, or not attested for this key: codes.hc, locked.hc" in world.succeed("export-key", "--replace").stdout
    )

    before = traces(world)
    for given, passphrase, code, why in (
        (old, PASSPHRASE, 3, "is a key of main, but not the one in use"),
        (foreign, PASSPHRASE, 3, "is the key of another repository"),
        (key, PASSPHRASE, 3, "is the right one, but the passphrase from there does not open it"),
        (truncated, OTHER, 2, "is a damaged key export: it is cut short"),
        (world.config_file, OTHER, 2, "is not a key export"),
    ):
        done = drill(world, given, passphrase)
        assert done.returncode == code, done.stderr
        assert why in done.stderr
        assert "remedy:" in done.stderr
    assert "no escrow location is called 'codes.hx'" in drill(world, key, OTHER, place="codes.hx").stderr
    assert "does not say that safe holds the key" in drill(world, key, OTHER, place="safe").stderr
    assert not (world.state / "attestations.jsonl").exists()

    unusual = world.root / "unusual.txt"
    unusual.write_text("\n" + key.read_text())
    done = drill(world, unusual, OTHER)
    assert done.returncode == 1, "it opens, but borg would not import it as it is"
    assert world.latest("escrow-drill").outcome is Outcome.WARNING
    assert traces(world) == before
    assert OTHER.encode() not in everything_written(world)

    shutil.rmtree(world.repository)
    world.borg("init", "--encryption", "repokey-blake2", str(world.repository))
    world.write_passphrase(PASSPHRASE)
    done = drill(world, key, OTHER)
    assert "is the key of the repository that was main until" in done.stderr


@pytest.mark.parametrize("step", ["list", "extract"])
def test_whoever_is_killed_at_it_leaves_the_repository_and_the_chain_as_they_were(world: World, step: str) -> None:
    key = prepare(world)
    assert drill(world, key, place="locked.hc").returncode == 0
    attested, before = read_attestations(world.state / "attestations.jsonl"), traces(world)
    world.hold_borg(step)
    words = ["escrow-drill", "--location", "codes.hc", "--by", "A. Operator", "--key", str(key)]
    read, write = os.pipe()
    os.write(write, PASSPHRASE.encode())
    os.close(write)
    process = world.start(*words, "--passphrase-fd", str(read), pass_fds=(read,))
    os.close(read)
    world.wait_until_held(process)
    process.kill()
    process.communicate()
    world.wait_until_idle()
    assert traces(world) == before
    assert read_attestations(world.state / "attestations.jsonl") == attested
    world.unwrap_borg()
    done = drill(world, key)
    assert done.returncode == 0, done.stderr
    assert traces(world) == before
    assert list(Path(world.config["paths"]["scratch"]).iterdir()) == []
    assert len(read_attestations(world.state / "attestations.jsonl").records) == 4
    assert world.history()[-2].outcome is Outcome.INTERRUPTED
