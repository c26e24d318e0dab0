"""What has to hold before anything is pulled: the key, the pinned host key, raw as ever, nothing that cannot go on."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.tools.process import Command, clean_environment, run
from runner.ssh_gate.gate import Refused, read_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bkp.config.replications import Replication
    from bkp.state.results import SyncResult
    from bkp.tools.zfs.replies import Snapshot

SSH_KEYGEN = "/usr/bin/ssh-keygen"


def insist_on_keys(replication: Replication) -> None:
    """Raise `StepFailedError` if the key is not there or for others to read, or no host key is pinned."""
    key, hosts = replication.identity_file, replication.known_hosts
    try:
        facts = os.stat(key)  # noqa: PTH116  # no Path of it is needed
    except OSError as exc:
        raise StepFailedError(
            f"the identity_file {key} cannot be used: {exc.strerror}",
            remedy=f"make it: ssh-keygen -t ed25519 -N '' -f {key}; then `bkp-run ssh-gate`",
        ) from None
    if not stat.S_ISREG(facts.st_mode) or facts.st_mode & 0o077:
        raise StepFailedError(f"the identity_file {key} is for others to read, too", remedy=f"chmod 600 {key}")
    host, port = replication.remote.host, replication.port
    name = host if port == 22 else f"[{host}]:{port}"
    found = run(Command(argv=(SSH_KEYGEN, "-F", name, "-f", hosts), environment=clean_environment()))
    if found.exit_code != 0 or not found.stdout.strip():
        raise StepFailedError(
            f"known_hosts {hosts} holds no host key of {name}",
            remedy=f"ssh-keyscan -p {port} {host} > {hosts}, and compare it with ssh-keygen -lf there, by another way",
        )


def insist_on_raw(name: str, replication: Replication, before: SyncResult | None, root: str | None) -> None:
    """Raise `StepFailedError` if `raw` is not what the replica began with.

    `root` is the encryption root of the replica (zfsprops(7)): None where there is no replica yet, `-` where it is not
    encrypted. A raw stream brings its own, any other takes that of what lies above.
    """
    if root is None:  # another replica may begin
        return
    was = (
        None if before is None or (before.source, before.target) != (replication.source, replication.target) else before
    )
    received_raw = None if root == "-" else f"{root}/".startswith(f"{replication.target}/")
    other = (was is not None and was.raw is not replication.raw) or (
        was is None and received_raw is not None and received_raw is not replication.raw
    )
    if other:
        began = "raw" if not replication.raw else "in the clear"
        raise StepFailedError(
            f"replications.{name}.raw is {str(replication.raw).lower()}, and the replica {replication.target} was "
            f"begun {began}: a stream of the other kind does not fit, and would break the chain",
            remedy=f"set raw: {str(not replication.raw).lower()} again; or rename the replica away (`zfs rename`) and "
            "pull anew",
        )


def stale(tokens: Mapping[str, str], there: Mapping[str, Sequence[Snapshot]]) -> dict[str, str]:
    """Return the datasets whose cut-off receive cannot be resumed, with the snapshot that is gone on the live server.

    syncoid would throw away by itself what was received. `tokens` are the resume tokens of the replica's datasets. A
    snapshot is known by its guid: another one may have its name by now.
    """
    known = {each.guid for snapshots in there.values() for each in snapshots}
    found = {}
    for dataset, token in tokens.items():
        try:
            wanted = read_token(token)
        except Refused:  # of a later zfs, say: what it wants cannot be told
            continue
        if str(wanted.guid) not in known:
            found[dataset] = wanted.name
    return found
