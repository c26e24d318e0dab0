"""What would be run: for a person who copies the commands, or as JSON for a script. Never a secret."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from runner.jobs.repository import MASKED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.jobs.model import DryRun


def as_text(plan: DryRun) -> str:
    """Return the plan as lines of a shell, with what a person should know as comments."""
    borg = " borg's environment:" if plan.environment else ""
    lines = [f"# {plan.job} of {plan.target}: what would be run, and is not.{borg}"]
    lines += [f"# {note}" for note in plan.notes]
    for name, value in sorted(plan.environment.items()):
        lines.append(f"#   {name}={value}" + ("  (a pipe with the passphrase)" if value == MASKED else ""))
    return "\n".join([*lines, *map(shlex.join, plan.commands)])


def as_json(plan: DryRun, **more: object) -> bytes:
    """Return the same as one JSON object, with `more` keys where a command has more to say."""
    return msgspec.json.encode(_fields(plan) | more)


def all_as_json(plans: Sequence[DryRun]) -> bytes:
    """Return several plans as one JSON list."""
    return msgspec.json.encode([_fields(plan) for plan in plans])


def _fields(plan: DryRun) -> dict[str, object]:
    return {"job": plan.job, "target": plan.target, "environment": plan.environment, "commands": plan.commands}
