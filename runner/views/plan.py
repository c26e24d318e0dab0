"""What would be run: for a person who copies the commands, or as JSON for a script. Never a secret."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bkp.tools.process import Command

MASKED = "***"


@dataclass(frozen=True)
class Plan:
    """A job on a target: commands of other programs, which come first, and then borg's."""

    job: str
    target: str
    before: tuple[tuple[str, ...], ...]
    calls: tuple[Command, ...]

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Return all command lines in their order."""
        return (*self.before, *(call.argv for call in self.calls))

    @property
    def environment(self) -> dict[str, str]:
        """Return borg's environment; the descriptor of the passphrase's pipe, if there is one, is masked."""
        first = self.calls[0]
        hidden = {first.passphrase_variable: MASKED} if first.passphrase is not None else {}
        return {**first.environment, **hidden}


def as_text(plan: Plan) -> str:
    """Return the plan as lines of a shell, with what a person should know as comments."""
    lines = [f"# {plan.job} of {plan.target}: what would be run, and is not. borg's environment:"]
    for name, value in sorted(plan.environment.items()):
        lines.append(f"#   {name}={value}" + ("  (a pipe with the passphrase)" if value == MASKED else ""))
    return "\n".join([*lines, *map(shlex.join, plan.commands)])


def as_json(plan: Plan, **more: object) -> bytes:
    """Return the same as one JSON object, with `more` keys where a command has more to say."""
    return msgspec.json.encode(
        {"job": plan.job, "target": plan.target, **more, "environment": plan.environment, "commands": plan.commands}
    )
