"""A backup server pulls from a live one through the gate: as the page says, by hostile hands, and when things go wrong.

The commands that syncoid sends are recorded while this runs, and held against `tests/fixtures/syncoid`.
BKP_UPDATE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.vm.lab import states
from tests.vm.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vm.lab.guest import Guest
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/replication.md").read_text("utf-8").replace("live.example.com", "live")
FIXTURES = ROOT / "tests/fixtures/syncoid"
# The second replication of these tests, beside the page's: raw, alone, from snapshots that the live server makes.
VAULT = """\
  vault:
    source: bkp@live:tank/vault
    target: tank/vault
    raw: true
    recursive: false
    own_snapshots: false
    identity_file: /root/.ssh/bkp-live
    known_hosts: /etc/bkp/live.known_hosts
"""
SSH = "ssh -i /root/.ssh/bkp-live -o UserKnownHostsFile=/etc/bkp/live.known_hosts -o BatchMode=yes"
# One connection for all tries: a handshake takes seconds under emulation.
SHARED = f"{SSH} -o ControlPath=/root/.ssh/shared"
# Run on the backup server: each command is one argument of ssh, and nothing but that.
_TRY_ALL = """
import json, subprocess, sys
with open("/root/hostile.json") as file:
    commands = json.load(file)
done = [subprocess.run([*sys.argv[1:], each], capture_output=True, text=True) for each in commands]
print(json.dumps([[each.returncode, each.stdout, each.stderr] for each in done]))
"""
MEGABYTES = 24
_GO_ON = "pkill -CONT -x mbuffer"
_RECEIVED = "$(cat /sys/class/net/*/statistics/rx_bytes | paste -sd+)"


@pytest.fixture(scope="module")
def live_pool(live: VirtualMachine) -> Pool:
    """The live server's pool, with what is pulled: a tree of datasets, and an encrypted one for itself."""
    pool = states.lab_pool(live)
    pool.unlock()
    live.script(
        """
        for dataset in tank/data 'tank/data/two words' tank/data/origin; do
            zfs create "$dataset"
            echo one > "/$dataset/file"
        done
        zfs snapshot tank/data/origin@base
        zfs clone tank/data/origin@base tank/data/clone
        echo a passphrase > /root/vault.key
        zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file:///root/vault.key \\
            -o pbkdf2iters=100000 tank/vault
        echo one > /tank/vault/file
        zfs snapshot tank/vault@one
        """
    )
    return pool


@pytest.fixture(scope="module")
def site(server: VirtualMachine, pool: Pool, live_pool: Pool) -> Site:
    """The backup server, whose source is the replica. It has pulled nothing yet."""
    (section,) = re.findall(r"```yaml\n(replications:\n.*?)```", PAGE, re.DOTALL)
    found = replace(Site.on(server, pool), more=section + VAULT)
    found.set_up()
    server.run(f"zfs destroy -r {pool.backup}")
    return found


@pytest.fixture(scope="module")
def pulled(site: Site, server: VirtualMachine, live: VirtualMachine) -> Site:
    """The site after all that the page says, up to the first pull."""
    machines = {"backup": server, "live": live}
    blocks = re.findall(r"```sh ([^\n]+)\n(.*?)```", PAGE, re.DOTALL)
    assert [kind for kind, _ in blocks].count("live") == 3
    for kind, block in blocks:
        machine, *refused = kind.split()
        for command in block.splitlines():
            result = machines[machine].run(command, check=False)
            assert result.code == (126 if refused else 0), result
            if refused:
                assert result.stderr.strip().endswith("bkp ssh-gate: refused: not a command that syncoid sends")
    return site


def sync(site: Site, name: str = "data", *flags: str, expect: int = 0) -> dict[str, Any]:
    result = site.bkp_run("sync", "--target", name, "--json", *flags, check=False)
    assert result.code == expect, result
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def latest(site: Site, name: str = "data") -> dict[str, Any]:
    record: dict[str, Any] = json.loads(site.guest.read(f"{site.state}/jobs/sync/{name}/latest.json"))
    return record


def snapshots(machine: Guest, dataset: str) -> list[str]:
    return machine.run(f"zfs list -H -o name -t snapshot -s createtxg -d 1 '{dataset}' | sed s,.*@,,").lines


def held(machine: Guest, dataset: str) -> list[str]:
    """Return the snapshots that are held."""
    return machine.run(f"zfs list -H -o userrefs,name -t snapshot -r {dataset} | sed -n '/^0/!p'").lines


def content(site: Site, dataset: str, path: str, program: str = "cat") -> str:
    """Return the first word that a program says of a replica's file, in its newest snapshot and a mount of its own."""
    newest = snapshots(site.guest, dataset)[-1]
    mounted = f"mkdir -p /mnt/look && mount --internal-only -t zfs -o ro '{dataset}@{newest}' /mnt/look"
    return site.guest.run(f"""unshare -m sh -c "{mounted} && {program} '/mnt/look/{path}'" """).text.split()[0]


@pytest.fixture
def held_stream(site: Site, server: VirtualMachine) -> Iterator[None]:
    """A pull in the middle of a stream: it stands still in front of `zfs receive`, and goes on when the test ends.

    A `zfs send` that is stopped gives up when it goes on: ZFS takes any signal for an end.
    """
    server.run(
        f"echo $(({_RECEIVED})) > /root/before && "
        f"systemd-run --quiet --collect --unit=pull --setenv=HOME=/root {site.program} sync --target data"
    )
    server.wait_until(
        "a third of the stream",
        f"[ $(({_RECEIVED} - $(cat /root/before))) -gt {MEGABYTES * 333333} ]",
    )
    server.run("pkill -STOP -x mbuffer")
    yield
    server.run(_GO_ON, check=False)
    server.wait_unit_ended("pull")


def test_the_first_pull_brings_everything_and_mounts_nothing(
    pulled: Site, server: VirtualMachine, live: VirtualMachine, pool: Pool
) -> None:
    for dataset in ("", "/two words", "/origin", "/clone"):
        target = pool.backup + dataset
        assert content(pulled, target, "file") == "one"
        assert [pool.property(name, target) for name in ("readonly", "mounted")] == ["on", "no"]
        assert snapshots(server, target) == snapshots(live, f"tank/data{dataset}")
    # They have shown what they are for; each dataset takes seconds of every pull.
    live.run("zfs destroy -r tank/data/clone && zfs destroy -r tank/data/origin")
    server.run(f"zfs destroy -r {pool.backup}/clone && zfs destroy -r {pool.backup}/origin")
    assert pool.property("keystatus", "tank/vault") == "unavailable"


def test_increments_come_raw_and_in_the_clear_with_a_new_child_and_a_key_that_is_not_loaded(
    pulled: Site, server: VirtualMachine, live: VirtualMachine, pool: Pool
) -> None:
    live.script(
        """
        echo two > /tank/data/file
        zfs create tank/data/new && echo new > /tank/data/new/file
        zfs bookmark tank/vault@one tank/vault#one && zfs destroy tank/vault@one
        echo two > /tank/vault/file && zfs snapshot tank/vault@two
        echo three > /tank/vault/file && zfs snapshot tank/vault@three
        zfs unmount tank/vault && zfs unload-key tank/vault
        """
    )
    assert sync(pulled)["outcome"] == "success"
    assert sync(pulled, "vault")["outcome"] == "success"

    assert content(pulled, pool.backup, "file") == "two"
    assert content(pulled, f"{pool.backup}/new", "file") == "new"
    assert snapshots(server, "tank/vault") == ["one", "two", "three"]
    # syncoid has taken its older snapshots away again, on both sides.
    assert len(snapshots(live, "tank/data")) == len(snapshots(server, pool.backup)) == 1
    server.run("echo a passphrase | zfs load-key tank/vault")
    assert content(pulled, "tank/vault", "file") == "three"
    server.run("zfs unload-key tank/vault")
    live.run("zfs load-key tank/vault && zfs mount tank/vault")


HOSTILE = [*json.loads(Path(__file__).with_name("hostile_commands.json").read_text("utf-8")), "A" * 60000]


def test_whoever_has_the_key_can_do_nothing_else_by_any_way_that_a_shell_would_allow(
    pulled: Site, server: VirtualMachine, live: VirtualMachine
) -> None:
    live.run("zfs snapshot tank/data@other && zfs snapshot tank/Secure/backup@other; mkdir -p /tmp/x")
    before = live.run("zfs list -H -t all -o name,mountpoint").stdout
    said = "journalctl -t bkp-ssh-gate -o cat --no-pager"
    logged = len(live.run(said).lines)

    server.write("/root/hostile.json", json.dumps(HOSTILE))
    server.run(f"{SHARED} -MNf bkp@live < /dev/null > /dev/null 2>&1")
    tried = json.loads(server.run("python3", "-c", _TRY_ALL, *SHARED.split(), "bkp@live").stdout)
    wrong = [
        (command[:60], code, stdout, stderr)
        for command, (code, stdout, stderr) in zip(HOSTILE, tried, strict=True)
        if (code, stdout) != (126, "") or not stderr.startswith("bkp ssh-gate: refused: ")
    ]
    assert wrong == []
    # No terminal, no shell, no file transfer, no forwarding; an environment changes nothing.
    for ways in ("-T bkp@live", "-tt bkp@live", "-s bkp@live sftp"):
        assert server.run(f"{SHARED} {ways} < /dev/null", check=False).code == 126
    assert server.run(f"{SSH} -W 127.0.0.1:22 bkp@live < /dev/null", check=False).code not in {0, 126}
    assert server.run(f"{SSH} -o ExitOnForwardFailure=yes -R 2222:127.0.0.1:22 bkp@live exit", check=False).code == 255
    odd = """-o 'SetEnv="LC_ALL=() { :; }; touch /tmp/owned" LANG=xx'"""
    assert server.run(f"{SSH} {odd} bkp@live echo -n", check=False).code == 0

    assert live.run("test -e /tmp/owned", check=False).code == 1
    assert live.run("zfs list -H -t all -o name,mountpoint").stdout == before
    refused = [line for line in live.run(said).lines[logged:] if ": refused, " in line]
    assert len(refused) == len(HOSTILE) + 3
    assert all(line.startswith("from '192.0.2.1': ") for line in refused)
    live.run("zfs destroy tank/data@other && zfs destroy tank/Secure/backup@other")


def test_a_stream_that_was_cut_goes_on_where_it_ended(
    pulled: Site, server: VirtualMachine, live: VirtualMachine, pool: Pool, request: pytest.FixtureRequest
) -> None:
    live.run(f"head -c {MEGABYTES}M /dev/urandom > '/tank/data/two words/big'")
    request.getfixturevalue("held_stream")
    live.run("pkill -KILL -u bkp")  # the connection is gone, with the program that sent
    server.run(_GO_ON)
    server.wait_unit_ended("pull")

    record = latest(pulled)
    assert (record["outcome"], record["result"]["cause"], record["result"]["cure"]) == ("failure", "cut", "passes")
    assert [each["dataset"] for each in record["result"]["partial"]] == [f"{pool.backup}/two words"]
    assert pool.property("receive_resume_token", f"{pool.backup}/two words").startswith("1-")
    assert sync(pulled)["outcome"] == "success"
    assert pool.property("receive_resume_token", f"{pool.backup}/two words") == "-"
    sent = live.run("sha256sum '/tank/data/two words/big'").text.split()[0]
    assert content(pulled, f"{pool.backup}/two words", "big", "sha256sum") == sent


def test_what_syncoid_sent_is_what_is_recorded(pulled: Site, live: VirtualMachine) -> None:
    """It is recorded by the gate's own log on the live server; whatever syncoid sent so far was let through."""
    lines = live.run("journalctl -t bkp-ssh-gate -o cat --no-pager").lines
    commands = [ast.literal_eval(line.split(": allowed: ", 1)[1]) for line in lines if ": allowed: " in line]
    found = {_shape(command): command for command in reversed(commands)}
    path = FIXTURES / f"{live.release.name}.json"
    if os.environ.get("BKP_UPDATE_GOLDEN"):
        gate = live.read("/usr/local/lib/bkp/ssh-gate.py")
        names: dict[str, Any] = {"__name__": "recorded"}
        exec(compile(gate, "gate", "exec"), names)  # noqa: S102 # the project's own program
        replications = [each._asdict() for each in names["REPLICATIONS"]]
        recording = {"replications": replications, "commands": sorted(found.values())}
        path.write_text(json.dumps(recording, indent=1) + "\n", "utf-8")
    recorded = json.loads(path.read_text("utf-8"))["commands"]
    assert set(found) == {_shape(command) for command in recorded}


def _shape(command: str) -> str:
    """Return a command without what differs from run to run: times, tokens, and which dataset and snapshot it was."""
    shape = re.sub(r"[0-9-]{10}:[0-9:]{8}-GMT-?[0-9:]{5}", "TIME", command)
    shape = re.sub(r" -t 1-[0-9a-f-]+", " -t TOKEN", shape)
    shape = re.sub(r"tank/(Secure/)?(data|vault)[a-z/ ]*", "DATASET", shape)
    shape = re.sub(r"(; +zfs destroy 'DATASET'@syncoid_data_server_TIME)+", "; MORE", shape)
    return re.sub(r"([@#]'?)(?!syncoid_)[a-z][a-z0-9]*'?(?= |$)", r"\1NAME", shape)


def test_a_night_in_the_middle_of_a_first_receive_archives_what_is_there(
    pulled: Site, live: VirtualMachine, server: VirtualMachine, pool: Pool, request: pytest.FixtureRequest
) -> None:
    live.run(f"zfs create tank/data/arriving && head -c {MEGABYTES}M /dev/urandom > /tank/data/arriving/big")
    request.getfixturevalue("held_stream")

    night = pulled.bkp_run("nightly", "--json", check=False)
    server.run(_GO_ON)
    server.wait_unit_ended("pull")

    assert night.code in {0, 1}, night
    archive = json.loads(night.stdout)["result"]["archive"]
    roots = {root["dataset"]: root for root in archive["roots"]}
    assert roots[pool.backup]["snapshot"]
    assert roots[f"{pool.backup}/two words"]["present"]
    assert not roots.get(f"{pool.backup}/arriving", {"present": False})["present"]
    assert latest(pulled)["outcome"] == "success"
    assert snapshots(server, f"{pool.backup}/arriving")
    assert pulled.left_behind() == held(server, pool.backup) == []


def test_a_pull_in_the_middle_of_a_night_takes_nothing_from_it(
    pulled: Site, live: VirtualMachine, server: VirtualMachine, pool: Pool
) -> None:
    waiting = (
        f'#!/bin/sh\nif [ "$1" = create ]; then touch {pulled.tools}/reading; '
        f'until [ -e {pulled.tools}/go-on ]; do sleep 1; done; fi\nexec /usr/bin/borg "$@"\n'
    )
    server.write(f"{pulled.tools}/borg-waiting", waiting, mode=0o755)
    pulled.configure(repository=f"borg: {pulled.tools}/borg-waiting")
    server.start_unit("night", f"{pulled.program} nightly")
    server.wait_until("borg to read", f"test -e {pulled.tools}/reading")

    live.run("echo later > /tank/data/file")
    pull = sync(pulled)
    server.run(f"touch {pulled.tools}/go-on")
    server.wait_unit_ended("night")
    pulled.configure()

    assert pull["outcome"] == "success"
    assert content(pulled, pool.backup, "file") == "later"
    night = pulled.latest()
    assert night["outcome"] == "success"
    path = f"{pool.path(pool.backup)}/file".lstrip("/")
    archived = f"{pulled.borg} extract --stdout {pulled.repository}::{night['result']['archive']['name']} {path}"
    assert server.run(archived).text == "two"
    assert pulled.left_behind() == held(server, pool.backup) == []


def test_a_live_server_that_lets_anything_through_fails_the_pull(
    pulled: Site, live: VirtualMachine, server: VirtualMachine
) -> None:
    keys = "/var/lib/bkp/.ssh/authorized_keys"
    live.run(f'cp {keys} /root/keys && sed -i \'s/^restrict,command="[^"]*" //\' {keys}')
    record = sync(pulled, "vault", "--test-gate", expect=3)
    live.run(f"cp /root/keys {keys}")
    assert record["result"]["gate"] == "ran"


def test_a_live_server_that_is_off_is_waited_for(pulled: Site, live: VirtualMachine, live_pool: Pool) -> None:
    live.run("sync")
    live.power_cut()
    assert sync(pulled, expect=4)["outcome"] == "deferred"

    live.start()
    live.wait_ready()
    live_pool.unlock()
    assert sync(pulled)["outcome"] == "success"


def test_what_needs_a_person_is_said_and_nothing_is_thrown_away(
    pulled: Site, live: VirtualMachine, server: VirtualMachine, pool: Pool
) -> None:
    target = f"{pool.backup}/new"
    # A replica whose encryption key is not loaded.
    server.run(f"zfs unmount {pool.borg}; zfs unmount {pool.secure}; zfs unload-key {pool.secure}", check=False)
    if pool.property("keystatus", pool.secure) == "unavailable":  # ZFS 2.1 may keep it busy, see docs/lab.md
        assert sync(pulled, expect=3)["result"]["cause"] == "locked"
        server.run("zfs", "load-key", pool.secure)
    for dataset in (pool.secure, pool.borg):  # not `zfs mount -a`, see docs/lab.md
        if pool.property("mounted", dataset) == "no":
            server.run("zfs", "mount", dataset)

    # Another host key.
    live.script(
        """
        cp -a /etc/ssh /root/ssh
        rm /etc/ssh/ssh_host_*
        ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
        systemctl restart ssh
        """
    )
    assert "host key" in sync(pulled, expect=3)["reason"]
    live.run("rm /etc/ssh/ssh_host_* && cp -a /root/ssh/ssh_host_* /etc/ssh/ && systemctl restart ssh")

    # No snapshot that both have.
    live.run("zfs snapshot tank/vault@four && for name in two three; do zfs destroy tank/vault@$name; done")
    before = snapshots(server, "tank/vault")
    assert sync(pulled, "vault", expect=3)["result"]["cause"] == "no_common"
    assert snapshots(server, "tank/vault") == before

    # A replica that was written to takes nothing more, until it is rolled back.
    server.script(
        f"""
        zfs set readonly=off {target} && zfs mount {target} && echo mine > {pool.path(target)}/mine
        zfs unmount {target} && zfs set readonly=on {target}
        """
    )
    live.run("echo newer > /tank/data/new/file")
    assert sync(pulled, expect=3)["result"]["cause"] == "modified"
    server.run(f"zfs rollback {target}@{snapshots(server, target)[-1]}")
    assert sync(pulled)["outcome"] == "success"
    assert content(pulled, target, "file") == "newer"
