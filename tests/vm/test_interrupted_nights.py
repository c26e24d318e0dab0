"""A night that ends in the middle of any step, by SIGKILL or by a power cut, leaves nothing after the next one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.vm.site import Site

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

STEPS = ("prepare", "create", "confirm", "sample", "release", "name", "prune", "compact")
STOPPED = "/run/lab-stopped"
TRIES = 20
# Runs a program, and stops it (SIGSTOP) as soon as the record it writes says that the wanted step began. From outside,
# over ssh, most steps are over before they are seen. The kernel says when a record is put in its place (inotify(7)): to
# ask again and again would take the only processor from the night itself.
_STOPPER = """\
import ctypes, json, os, pathlib, select, signal, subprocess, sys, time
step, record, stopped, *command = sys.argv[1:]
record = pathlib.Path(record)
libc = ctypes.CDLL(None, use_errno=True)
IN_MOVED_TO = 0x80
changes = libc.inotify_init1(os.O_CLOEXEC)
if changes < 0 or libc.inotify_add_watch(changes, os.fsencode(record.parent), IN_MOVED_TO) < 0:
    raise OSError(ctypes.get_errno(), f"{record.parent} cannot be watched")
process = subprocess.Popen(command)
ended = os.pidfd_open(process.pid)

def in_step():
    run = json.loads(record.read_bytes())
    steps = run["steps"]
    return run["process"]["pid"] == process.pid and run["outcome"] == "running" and steps[-1:] and (
        steps[-1]["name"] == step)

while ended not in select.select([changes, ended], [], [])[0]:
    os.read(changes, 65536)
    if in_step():
        process.send_signal(signal.SIGSTOP)
        while pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZX":
            time.sleep(0.01)
        if in_step():
            pathlib.Path(stopped).write_text(str(process.pid))
            break
        process.send_signal(signal.SIGCONT)
process.wait()
"""
# What the night after may have to say. A compaction that was ended half-way makes the next borg warn of segments that
# it had removed already (its check finds the repository whole); a power cut may damage borg's cache, as a whole or a
# part of it that borg makes anew by itself.
_TOLD = re.compile(
    r"segment \d+ not found, but listed in compaction data"
    r"|borg's cache of this repository was damaged.*"
    r"|Cached archive chunk index of .* is corrupted: .*/\.cache/borg/.*"
    r"|Could not (parse integrity data|read integrity file) for .*/\.cache/borg/.*"
    r"|The files cache (is corrupted|seems invalid)\..*"
    r"|Continuing without files cache.*"
)

pytestmark = pytest.mark.needs("power")


@pytest.fixture(scope="module")
def site(server: VirtualMachine, pool: Pool) -> Site:
    found = Site.on(server, pool)
    found.set_up()
    # A compaction every night, so that there is one to interrupt. A borg that has removed a dead one's lock sleeps for
    # a tenth of its patience, a minute at most, before it takes the lock (borg/locking.py).
    found.configure(repository="compact_every: 1s", lock_wait="2m")
    server.write(f"{found.tools}/stopper.py", _STOPPER)
    found.job("nightly")
    server.run("sync")  # what the test itself has just written is not to be lost with the power
    return found


def stop_a_night_in(site: Site, step: str) -> str:
    """Start a nightly and stop it in a step; return its run id. What it had started goes on."""
    guest = site.guest
    for number in range(TRIES):
        unit = f"lab-night-{step}-{number}"
        words = f"{site.tools}/stopper.py {step} {site.record()} {STOPPED} {site.program} nightly"
        guest.run("rm", "-f", STOPPED)
        guest.start_unit(unit, f"exec python3 {words}")
        guest.wait_until(
            f"the nightly to stop in step {step}, or to end",
            f"test -e {STOPPED} || ! systemctl is-active --quiet {unit}",
        )
        if guest.run(f"test -e {STOPPED}", check=False).code == 0:
            run = site.latest()
            assert (run["outcome"], run["steps"][-1]["name"]) == ("running", step)
            run_id: str = run["run_id"]
            return run_id
        guest.run(f"systemctl reset-failed {unit}", check=False)
    raise AssertionError(f"{TRIES} nights were never seen in step {step}")


def prove_nothing_is_left(site: Site, run_id: str) -> None:
    """Run the next night, and insist on what must hold after it."""
    done = site.bkp_run("nightly", "--json", check=False)
    assert done.stdout, done
    record = json.loads(done.stdout)
    said = [message["text"] for message in record["messages"]]
    log = site.guest.read(record["log"])
    assert all(_TOLD.fullmatch(text) for text in said), f"{said}\n{log}"
    assert done.code == (1 if said else 0), f"{done.stderr}\n{log}"
    (ended,) = [run for run in site.history() if run["run_id"] == run_id]
    assert ended["outcome"] == "interrupted"
    assert site.left_behind() == []


@pytest.mark.parametrize("step", STEPS)
def test_sigkill_in_a_step_leaves_nothing_after_the_next_night(site: Site, step: str) -> None:
    run_id = stop_a_night_in(site, step)

    pid = site.guest.read(STOPPED)
    site.guest.run(f"kill -KILL {pid}")
    site.guest.wait_until("the nightly to be gone", f"! test -e /proc/{pid}")

    prove_nothing_is_left(site, run_id)


@pytest.mark.parametrize("step", STEPS)
def test_a_power_cut_in_a_step_leaves_nothing_after_the_next_night(
    site: Site, server: VirtualMachine, step: str
) -> None:
    run_id = stop_a_night_in(site, step)

    server.power_cut()
    server.start()
    server.wait_ready()
    site.pool.unlock()

    prove_nothing_is_left(site, run_id)


def test_the_repository_is_whole_after_all_that(site: Site) -> None:
    assert site.job("verify")["outcome"] == "success"
