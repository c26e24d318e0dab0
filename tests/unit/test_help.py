"""The help of every command of the three programs shows how it is called, and the call is one that works."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from auditor.cli.main import command as bkp_audit
from exporter.cli import cli as bkp_exporter
from runner import commands
from runner.cli import MODULES
from runner.cli import cli as bkp_run

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS: dict[str, click.Command] = {"bkp-run": bkp_run, "bkp-exporter": bkp_exporter, "bkp-audit": bkp_audit}


def _walk(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from _walk(inner, *words, name)


COMMANDS = [words for program, command in PROGRAMS.items() for words in _walk(command, program)]


def _help(*words: str) -> str:
    done = CliRunner().invoke(PROGRAMS[words[0]], [*words[1:], "--help"], prog_name=words[0])
    assert done.exit_code == 0, done.output
    return done.output


def _examples(text: str) -> list[str]:
    """Return the example lines, each without what stands after two spaces or a shell's sign."""
    _, found, below = re.sub(r"(?m)^ +$", "", text).partition("Example")
    lines = below.split("\n\n")[0].splitlines()[1:] if found else []
    return [re.split(r"\s{2,}|\s[|>]", line.strip())[0] for line in lines]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_has_examples_that_its_own_parser_takes(words: tuple[str, ...]) -> None:
    examples = [each for each in _examples(_help(*words)) if each.startswith(words[0])]
    assert examples
    for example in examples:
        _help(*shlex.split(example))


def test_every_command_of_bkp_run_is_in_the_module_that_its_table_names() -> None:
    folder = Path(commands.__file__).parent
    with_commands = {
        path.stem for path in folder.glob("*.py") if re.search(r"^COMMANDS = ", path.read_text(), re.MULTILINE)
    }
    there = {
        name: sorted(each.name for each in import_module(f"runner.commands.{name}").COMMANDS) for name in with_commands
    }
    assert there == {name: sorted(names) for name, names in MODULES.items()}
