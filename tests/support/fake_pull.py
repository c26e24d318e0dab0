"""Stand-ins for ssh, zfs and syncoid: two servers in a folder. What the live server runs, the real gate decides.

    fake_pull.py FOLDER ssh|zfs|syncoid ARGUMENTS…

`live.json` and `here.json` hold each server's datasets with their snapshots (name, guid, time of creation), and what
zfs says of them; `play.json` how ssh and syncoid behave.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSALS = {
    "away": "ssh: connect to host live port 22: No route to host",
    "host key": "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
    "denied": "bkp@live: Permission denied (publickey).",
}
LIVE, HERE = "tank/data", "tank/copy"


def _read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


def _below(datasets: dict[str, Any], top: str) -> dict[str, Any]:
    found = {name: each for name, each in datasets.items() if f"{name}/".startswith(f"{top}/")}
    if not found:
        sys.exit(f"cannot open '{top}': dataset does not exist")
    return found


def ssh(folder: Path, *arguments: str) -> None:
    """Be sshd and the gate of the live server; `open`, `odd`: a server without one."""
    play, command = _read(folder, "play"), arguments[-1]
    with (folder / "asked").open("a") as log:
        log.write(f"{command}\n")
    state = play["ssh"].get(command, play["ssh"][""])
    if state in REFUSALS:
        sys.stderr.write(f"{REFUSALS[state]}\n")
        sys.exit(255)
    if "uname" in command and state == "odd":
        sys.exit("This account is not available.")
    if "uname" in command and state == "open":
        sys.stdout.write("Linux\n")
        return
    from runner.ssh_gate.gate import Refused, Replication, Run, judge

    try:
        answer = judge(command.encode(), [Replication(LIVE, True, play["raw"], "syncoid_live_host_")])
    except Refused as reason:
        sys.stderr.write(f"bkp ssh-gate: refused: {reason}\n")
        sys.exit(126)
    if not isinstance(answer, Run):
        sys.exit(answer.code)
    words = answer.commands[0]
    datasets = _below(_read(folder, "live"), words[-1])
    if "syncoid:sync" in words:
        sys.stdout.write(f"{words[-1]}\tsyncoid:sync\t{datasets[words[-1]].get('sync', '-')}\t-\n")
    elif words[1] == "list":
        sys.stdout.writelines(f"{name}\t-\n" for name in datasets)
    else:
        for name, guid, created in datasets[words[-1]]["snapshots"]:
            for key, value in (("guid", guid), ("creation", created)):
                sys.stdout.write(f"{words[-1]}@{name}\t{key}\t{value}\t-\n")


def zfs(folder: Path, verb: str, *arguments: str) -> None:
    """Answer what is asked of this server's replica."""
    if verb == "receive":
        here = _read(folder, "here")
        here[arguments[-1]]["token"] = "-"
        (folder / "here.json").write_text(json.dumps(here))
        return
    datasets = _below(_read(folder, "here"), arguments[-1])
    if verb == "get":
        key = arguments[-2]
        for name in arguments[arguments.index(key) + 1 :]:
            value = datasets[name].get({"receive_resume_token": "token"}.get(key, key), "-")
            sys.stdout.write(f"{name}\t{key}\t{value}\t-\n")
        return
    columns, play = arguments[arguments.index("-o") + 1].split(","), _read(folder, "play")
    for name, each in datasets.items():
        if "snapshot" in arguments:
            for txg, (short, guid, created) in enumerate(each["snapshots"]):
                sys.stdout.write(f"{name}@{short}\t{guid}\t{created}\t{txg}\t0\n")
            continue
        facts = {"name": name, "mountpoint": "none", "canmount": "noauto", "keystatus": "-", "encryption": "off"}
        facts |= {"guid": play["guid"], "inconsistent": each.get("inconsistent", "0")}
        facts |= {"receive_resume_token": each.get("token", "-")}
        sys.stdout.write("\t".join(facts[column] for column in columns) + "\n")


def syncoid(folder: Path, *arguments: str) -> None:
    """Print what is wanted, and copy the live server's snapshots, or those of some datasets alone."""
    (folder / "syncoid.argv").write_text("\n".join(arguments))
    pull = _read(folder, "play")["pull"]
    if "wait" in pull:
        (folder / "pulling").write_text("")
        time.sleep(pull["wait"])
    sys.stdout.write(pull.get("stdout", ""))
    sys.stderr.write(pull.get("stderr", ""))
    live, path = _read(folder, "live"), folder / "here.json"
    here = _read(folder, "here")
    for name, each in live.items():
        if name in pull.get("datasets", live) and each.get("sync") != "false":
            here.setdefault(HERE + name.removeprefix(LIVE), {})["snapshots"] = each["snapshots"]
    path.write_text(json.dumps(here))
    sys.exit(pull.get("code", 0))


def main() -> None:
    """Be the program that is asked for."""
    programs: dict[str, Callable[..., None]] = {"ssh": ssh, "zfs": zfs, "syncoid": syncoid}
    programs[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])


if __name__ == "__main__":
    main()
