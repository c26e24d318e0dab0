"""What is set up on a live server around the gate: an account, its only key, its rights on the datasets.

Sources: sshd(8) for authorized_keys, zfs-allow(8) for the rights, useradd(8). `zfs send -I` holds what it sends, which
takes the right `hold`; making and destroying snapshots takes `mount` as well. Snapshots count as descendants there, so
rights on a dataset alone (`zfs allow -l`) send none; that its children stay out is the gate's to see to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from bkp.errors import UsageError
from runner.ssh_gate import gate

HOME = "/var/lib"
GATE = "/usr/local/lib/bkp/ssh-gate.py"
FORCED = f"/usr/bin/python3 -I -S {GATE}"
_KEY = re.compile(r"((?:ssh|ecdsa|sk)-[a-z0-9@.-]+) ([A-Za-z0-9+/]+=*)(?: .*)?\n?")
_PLACE = "REPLICATIONS: list[Replication] = []\n"


@dataclass(frozen=True)
class LiveServer:
    """A host that is pulled from.

    Attributes:
        host: its name, as the backup server calls it.
        user: the account that pulls there.
        key: the public key, `TYPE BASE64`, without a comment.
        replications: what may be pulled.
    """

    host: str
    user: str
    key: str
    replications: tuple[gate.Replication, ...]


def public_key(path: Path) -> str:
    """Return the public key in a file of ssh-keygen(1), without its comment.

    Raise UsageError if the file cannot be read or holds anything else.
    """
    remedy = f"make a key: ssh-keygen -t ed25519 -N '' -f {quote(str(path.with_suffix('')))}"
    try:
        found = _KEY.fullmatch(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"the public key {path} cannot be read: {reason}", remedy=remedy) from error
    if found is None:
        raise UsageError(f"{path} does not hold one public key", remedy=remedy)
    return f"{found[1]} {found[2]}"


def gate_program(replications: tuple[gate.Replication, ...]) -> str:
    """Return the program for the live server: the gate, with what may be pulled written into it."""
    source = Path(gate.__file__).read_text("utf-8")
    lines = "".join(f"    {each!r},\n" for each in replications)
    before, place, after = source.partition(_PLACE)
    if not place or _PLACE in after:
        raise RuntimeError(f"{gate.__file__} has no single place for the replications")
    return f"{before}REPLICATIONS: list[Replication] = [\n{lines}]\n{after}"


def authorized_key(server: LiveServer) -> str:
    """Return the line for authorized_keys: no terminal, no forwarding, and the gate instead of any command."""
    return f'restrict,command="{FORCED}" {server.key} bkp-pull'


def rights(replication: gate.Replication) -> str:
    """Return what the account must be allowed to do with a dataset, as zfs-allow(8) wants it."""
    return "send,hold,snapshot,destroy,mount" if replication.own_snapshots else "send,hold"


def setup_script(server: LiveServer) -> str:
    """Return a script for root on the live server. Run again, it renews everything and takes back what was allowed."""
    user, body = quote(server.user), quote(server.key.split()[1])
    there = "\n".join(f"zfs list -H -o name {quote(each.dataset)} >/dev/null" for each in server.replications)
    allow = "\n".join(
        f"zfs unallow -u {user} {quote(each.dataset)}\nzfs allow -u {user} {rights(each)} {quote(each.dataset)}"
        for each in server.replications
    )
    return f"""\
#!/bin/sh
# Lets a backup server pull from {server.host}, and do nothing else there. Written by `bkp-run ssh-gate`.
# Run it as root on {server.host}; run it again when something has changed.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ "$(id -u)" = 0 ] || {{ echo "run this as root" >&2; exit 2; }}
[ -x /usr/bin/python3 ] || {{ echo "apt install python3" >&2; exit 2; }}

# Ends here, with nothing changed, if a dataset is not there.
{there}

# The account has no password. Its folder and its key are root's, so that it cannot give itself another one.
getent passwd {user} >/dev/null ||
    useradd --system --user-group --home-dir {HOME}/{user} --shell /bin/sh --password '*' {user}
home=$(getent passwd {user} | cut -d: -f6)
install -d -o root -g root -m 0755 "$home" "$home/.ssh" {Path(GATE).parent}

# The gate: sshd starts it instead of what the backup server asks for.
cat > {GATE}.new <<'END_OF_THE_GATE'
{gate_program(server.replications)}END_OF_THE_GATE
chmod 0644 {GATE}.new
mv {GATE}.new {GATE}

# The key, with nothing allowed but the gate.
keys=$home/.ssh/authorized_keys
touch "$keys"
{{ grep -vF {body} "$keys" || true; }} > "$keys.new"
if [ -s "$keys.new" ]; then echo "warning: $keys has other keys, too" >&2; fi
printf '%s\\n' {quote(authorized_key(server))} >> "$keys.new"
chmod 0644 "$keys.new"
mv "$keys.new" "$keys"

# What zfs allows the account.
{allow}
echo "{server.host} can be pulled from as {server.user}"
"""
