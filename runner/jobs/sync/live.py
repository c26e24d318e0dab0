"""The live server, asked over ssh. It runs nothing but what its gate lets through."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.errors import DeferredError, StepFailedError
from bkp.tools.process import Command, Completed, clean_environment, run
from bkp.tools.syncoid import commands
from bkp.tools.syncoid.said import problem_of
from bkp.tools.syncoid.source import parse_children, parse_snapshots, parse_wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bkp.config.replications import Replication
    from bkp.tools.zfs.replies import Snapshot

TIMEOUT = 300.0
SSH_FAILED = 255  # ssh(1): ssh itself could not do it; any other number is the command's


@dataclass(frozen=True)
class Live:
    """Asks one live server. `tell` gets every command line before it is run."""

    replication: Replication
    tell: Callable[[str], None]
    ssh: str = commands.SSH

    def ask(self, question: str) -> Completed:
        """Send one command. Raise `DeferredError` where nobody answers, `StepFailedError` where ssh is refused."""
        argv = commands.ssh(self.replication, question, program=self.ssh)
        command = Command(argv=argv, environment=clean_environment())
        self.tell(f"$ {command}")
        done = run(command, timeout=TIMEOUT)
        said = done.stderr_tail.decode("utf-8", "replace").strip()
        account = self.replication.remote.account
        if done.timed_out:
            raise DeferredError(f"{account} did not answer within {TIMEOUT:.0f} s")
        if done.exit_code == SSH_FAILED:
            problem = problem_of(said)
            last = said.splitlines()[-1] if said else "ssh failed"
            if problem.cure == "passes":
                raise DeferredError(f"{account} is off, asleep or away: {last}")
            raise StepFailedError(f"{account}: {problem.sentence}: {last}", remedy=problem.remedy)
        return done

    def answer(self, question: str) -> str:
        """Return what a permitted question is answered. Raise `StepFailedError` where it is refused."""
        done = self.ask(question)
        if done.exit_code != 0:
            said = done.stderr_tail.decode("utf-8", "replace").strip()
            problem = problem_of(said)
            raise StepFailedError(f"the live server refused {question!r}: {said[:300]}", remedy=problem.remedy)
        return done.stdout.decode("utf-8", "surrogateescape")

    def snapshots(self, known: Mapping[str, object]) -> dict[str, list[Snapshot]]:
        """Return the snapshots of every dataset that is to be pulled; `known` are those that were received before.

        Of one that was never received it is asked whether syncoid is to leave it out.
        """
        top = self.replication.remote.dataset
        datasets = parse_children(self.answer(commands.list_children(top))) if self.replication.recursive else [top]
        if top not in datasets:  # nothing that is pulled would be nothing that is behind
            raise StepFailedError(
                f"the live server does not tell of {top}, which was asked for",
                remedy="see what answers there with this key: only the gate should (`bkp-run ssh-gate`)",
            )
        host = socket.gethostname()
        return {
            each: parse_snapshots(self.answer(commands.list_snapshots(each)))
            for each in datasets
            if each in known or parse_wanted(self.answer(commands.wanted(each)), host)
        }
