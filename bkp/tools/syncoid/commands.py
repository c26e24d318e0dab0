"""Command lines of ssh and syncoid as pure tuples (ssh(1), ssh_config(5), syncoid(8)).

The live server runs only what syncoid itself sends: the questions asked here are syncoid's own, word for word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bkp.config.replications import Replication

SSH = "/usr/bin/ssh"
HELLO = "echo -n"
# Harmless, and run by no gate. The second begins as something that every gate lets through.
FORBIDDEN = ("uname -s", "echo -n ; uname -s")
ANSWER_OF_FORBIDDEN = "Linux"


def ssh_options(replication: Replication) -> tuple[str, ...]:
    """Return what ssh must not be asked about or talked into: one key, one host key, no question, no endless wait."""
    return (
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={replication.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "ConnectTimeout=30",
        "ServerAliveInterval=30",
        "ServerAliveCountMax=4",
        "ClearAllForwardings=yes",
    )


def ssh(replication: Replication, command: str, *, program: str = SSH) -> tuple[str, ...]:
    """Return ssh with one command for the live server, which its sshd hands to the gate as it is."""
    options = (word for option in ssh_options(replication) for word in ("-o", option))
    key = ("-i", replication.identity_file, "-p", str(replication.port))
    return (program, *options, *key, replication.remote.account, command)


def syncoid(name: str, replication: Replication) -> tuple[str, ...]:
    """Return the pull.

    Nothing here is ever rolled back or overwritten (`--no-rollback`: no `zfs receive -F`); what is received is neither
    mounted nor written to. pv counts on stderr, a line each second: seconds and bytes of the stream.
    """
    return (
        replication.syncoid,
        "--no-privilege-elevation",
        "--no-rollback",
        "--compress=none",
        *(("--recursive",) if replication.recursive else ()),
        *((f"--identifier={name}",) if replication.own_snapshots else ("--no-sync-snap",)),
        *(("--sendoptions=w",) if replication.raw else ()),
        "--recvoptions=u o readonly=on o canmount=noauto",
        "--pv-options=-n -t -b -i 1",
        f"--sshkey={replication.identity_file}",
        f"--sshport={replication.port}",
        *(f"--sshoption={option}" for option in ssh_options(replication)),
        replication.source,
        replication.target,
    )


def list_children(dataset: str) -> str:
    """Return the question for a dataset and all below it on the live server, for the shell that a gate is not."""
    return f"zfs list -o name,origin -t filesystem,volume -Hr {_quoted(dataset)}"


def list_snapshots(dataset: str) -> str:
    """Return the question for the dataset's own snapshots: a line for each guid and each time of creation."""
    return f"zfs get -Hpd 1 -t snapshot guid,creation {_quoted(dataset)}"


def wanted(dataset: str) -> str:
    """Return the question whether syncoid is to leave the dataset out (`syncoid:sync`)."""
    return f"zfs get -H syncoid:sync {_quoted(dataset)}"


def _quoted(dataset: str) -> str:
    return f"'{dataset}'"  # no name of a dataset holds a quote
