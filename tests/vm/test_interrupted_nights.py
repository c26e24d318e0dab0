"""A night that ends in the middle of any step, by SIGKILL or by a power cut, leaves nothing after the next one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.vm.site import Site

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

STEPS = ("prepare", "create", "confirm", "sample", "release", "name", "prune", "compact")
# One power cut ends several nights, each on a site of its own: a boot takes longer than the nights do. What the first
# ones wrote may have reached the disks by then, so each group ends with a step in which borg writes.
CUTS = (("prepare", "sample", "create"), ("release", "prune"), ("confirm", "name", "compact"))
# In these steps borg is at work on the repository: a night is stopped there when borg has just taken its lock.
BORG_STEPS = {"create", "confirm", "name", "prune", "compact"}
# Runs a program in a control group of its own, and freezes that whole group, borg included, in the middle of a step:
# when the program's record names the step and, if a lock is given, when that lock is there. The kernel says when either
# comes into its place (inotify(7)). At a higher priority on the same processor, this program then runs before anything
# else does, so no step is over before it is seen.
_STOPPER = """\
import ctypes, json, os, pathlib, select, subprocess, sys, time
step, unit, record, lock, *command = sys.argv[1:]
record = pathlib.Path(record)
libc = ctypes.CDLL(None, use_errno=True)
IN_MOVED_TO = 0x80
changes = libc.inotify_init1(os.O_CLOEXEC)
for folder in (record.parent, os.path.dirname(lock) or record.parent):
    if changes < 0 or libc.inotify_add_watch(changes, os.fsencode(folder), IN_MOVED_TO) < 0:
        raise OSError(ctypes.get_errno(), f"{folder} cannot be watched")
os.sched_setaffinity(0, {0})
scope = ["systemd-run", "--quiet", "--scope", "--collect", f"--unit={unit}"]  # becomes the command: the same process
quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
process = subprocess.Popen([*scope, *command], **quiet)
ended = os.pidfd_open(process.pid)
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

def in_step():
    run = json.loads(record.read_bytes())
    at_work = run["process"]["pid"] == process.pid and run["outcome"] == "running" and run["steps"]
    return bool(at_work) and run["steps"][-1]["name"] == step and (not lock or os.path.exists(lock))

while not in_step():
    if ended in select.select([changes, ended], [], [])[0]:
        sys.exit(f"the night ended and was never seen in step {step}")
    os.read(changes, 65536)
group = "/sys/fs/cgroup" + pathlib.Path(f"/proc/{process.pid}/cgroup").read_text().strip().partition("::")[2]
pathlib.Path(group, "cgroup.freeze").write_text("1")
while "frozen 1" not in pathlib.Path(group, "cgroup.events").read_text():
    time.sleep(0.01)
assert in_step()
run_id = json.loads(record.read_bytes())["run_id"]
print(json.dumps({"run_id": run_id, "pid": process.pid, "group": group}), flush=True)
os._exit(0)  # without waiting for what is frozen
"""
_STOPPER_PATH = "/usr/local/lib/lab-stopper.py"
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
def sites(server: VirtualMachine, pool: Pool) -> tuple[Site, ...]:
    first = Site.on(server, pool)
    sites = (first, first.beside("second"), first.beside("third"))
    server.write(_STOPPER_PATH, _STOPPER)
    for site in sites:
        site.set_up()
        # A compaction every night, so that there is one to interrupt. A borg that has removed a dead one's lock sleeps
        # for a tenth of its patience before it takes the lock (borg/locking.py); here no borg waits for a living one.
        site.configure(repository="compact_every: 1s", lock_wait="20s")
        site.job("nightly")
    server.run("sync")  # what the test itself has just written is not to be lost with the power
    return sites


@pytest.fixture
def site(sites: tuple[Site, ...]) -> Site:
    return sites[0]


@dataclass(frozen=True)
class Night:
    """A night that is frozen in the middle of a step: its run id, its process, its control group."""

    run_id: str
    pid: int
    group: str


def freeze_a_night_in(site: Site, step: str, unit: str) -> Night:
    lock = f"{site.repository}/lock.exclusive" if step in BORG_STEPS else ""
    command = (site.program, "--config", site.config, "nightly")
    night = site.guest.run("python3", _STOPPER_PATH, step, unit, site.record(), lock, *command)
    return Night(**json.loads(night.stdout))


def prove_the_next_night_is_good(site: Site, night: Night) -> None:
    """Run the next night, and insist on what must hold after it."""
    done = site.bkp_run("nightly", "--json", check=False)
    assert done.stdout, done
    record = json.loads(done.stdout)
    said = [message["text"] for message in record["messages"]]
    assert all(_TOLD.fullmatch(text) for text in said), f"{said}\n{site.guest.read(record['log'])}"
    assert done.code == (1 if said else 0), f"{done.stderr}\n{site.guest.read(record['log'])}"
    history = [json.loads(line)["run"] for line in site.guest.read(f"{site.state}/history.jsonl").splitlines()]
    assert [run["outcome"] for run in history if run["run_id"] == night.run_id] == ["interrupted"]


@pytest.mark.once  # fifty more are killed by tests/integration, with the borg of either release
@pytest.mark.parametrize("step", STEPS)
def test_sigkill_in_a_step_leaves_nothing_after_the_next_night(site: Site, step: str) -> None:
    night = freeze_a_night_in(site, step, f"lab-killed-in-{step}")

    site.guest.script(f"kill -KILL {night.pid} && echo 0 > {night.group}/cgroup.freeze")
    site.guest.wait_until(
        "the nightly and all that it had started to be gone", f"! grep -qs 'populated 1' {night.group}/cgroup.events"
    )

    prove_the_next_night_is_good(site, night)
    assert site.left_behind() == []


@pytest.mark.parametrize("steps", CUTS, ids="-".join)
def test_a_power_cut_in_a_step_leaves_nothing_after_the_next_night(
    sites: tuple[Site, ...], server: VirtualMachine, pool: Pool, steps: tuple[str, ...]
) -> None:
    cut = list(zip(sites, steps, strict=False))
    nights = [freeze_a_night_in(site, step, f"lab-cut-in-{step}") for site, step in cut]

    server.power_cut()
    server.start()
    server.wait_ready()
    pool.unlock()

    for (site, _), night in zip(cut, nights, strict=True):
        prove_the_next_night_is_good(site, night)
    assert [site.left_behind() for site, _ in cut] == [[]] * len(cut)


def test_repositories_and_histories_are_whole_after_all_that(sites: tuple[Site, ...]) -> None:
    assert sorted(step for steps in CUTS for step in steps) == sorted(STEPS)
    for site in sites:
        assert site.job("verify")["outcome"] == "success"
        assert site.history()[-1]["job"] == "verify"
