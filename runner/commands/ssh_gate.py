"""ssh-gate: what a live server needs so that this server can pull from it, and do nothing else there."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.config import load_config
from bkp.errors import ExitCode, UsageError
from runner.commands import options

if TYPE_CHECKING:
    from bkp.config import Config
    from bkp.config.replications import Replication
    from runner.ssh_gate import gate
    from runner.ssh_gate.account import LiveServer


@click.command(
    "ssh-gate",
    short_help="Print what a live server needs to be pulled from.",
    epilog=options.examples(
        "bkp-run ssh-gate > live-setup.sh        a script for root on the live server",
        "bkp-run ssh-gate live.example.com       where several are configured",
        "bkp-run ssh-gate --gate                 the program alone",
    ),
)
@click.argument("host", required=False)
@click.option("--gate", "gate_only", is_flag=True, help="Print only the program that sshd starts there.")
@click.pass_obj
def ssh_gate_command(config_path: Path, host: str | None, gate_only: bool) -> int:
    """Print a script that has the live server HOST send the configured datasets to this server, and nothing else.

    Read it, copy it to the live server and run it there as root. It makes an account without a password, puts the gate
    there (a small program that sshd starts instead of what is asked for), accepts this server's key for the gate alone,
    and gives the account the rights to send. Nothing is changed here.
    """
    from runner.ssh_gate.account import gate_program, setup_script

    server = _live_server(load_config(config_path), host)
    click.echo(gate_program(server.replications) if gate_only else setup_script(server), nl=False)
    return ExitCode.SUCCESS


def _live_server(config: Config, host: str | None) -> LiveServer:
    """Return what is configured of one live server. Raise UsageError if it is not clear which, or who pulls there."""
    from runner.ssh_gate.account import LiveServer, public_key

    remotes = {name: each.remote for name, each in config.replications.items()}
    hosts = sorted({each.host for each in remotes.values()})
    if not hosts:
        raise UsageError("no replication is configured", remedy="add one to replications: (docs/replication.md)")
    if host is None and len(hosts) == 1:
        host = hosts[0]
    if host not in hosts:
        found = f"no replication pulls from {host!r}" if host else "replications pull from several hosts"
        raise UsageError(found, remedy=f"name one of: {', '.join(hosts)}")
    here = {name: each for name, each in config.replications.items() if remotes[name].host == host}
    users = {remotes[name].user for name in here}
    keys = {each.identity_file for each in here.values()}
    if len(users) > 1 or len(keys) > 1:
        raise UsageError(
            f"the replications from {host} have several accounts or keys: {', '.join(sorted(users | keys))}",
            remedy="give them the same account in source and the same identity_file: the gate knows each dataset",
        )
    (user,), (key,) = users, keys
    if user == "root":
        raise UsageError(f"the replications from {host} pull as root", remedy="name an account of its own in source")
    replications = tuple(_allowed(name, each) for name, each in here.items())
    return LiveServer(host, user, public_key(Path(f"{key}.pub")), replications)


def _allowed(name: str, replication: Replication) -> gate.Replication:
    """Return what the gate lets through. syncoid names its snapshots by its identifier and this host's name."""
    from runner.ssh_gate import gate

    own = f"syncoid_{name}_{socket.gethostname()}_" if replication.own_snapshots else ""
    return gate.Replication(replication.remote.dataset, replication.recursive, replication.raw, own)


COMMANDS = (ssh_gate_command,)
