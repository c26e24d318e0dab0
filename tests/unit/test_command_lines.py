"""What is the same on the command lines of all three programs: --config, --version, errors, and how they end."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import click
import pytest

from auditor import cli
from bkp import __version__
from bkp.cli import Program, named_config, run
from bkp.errors import BkpError, LockHeldError, UsageError
from runner import commands, jobs

if TYPE_CHECKING:
    from collections.abc import Callable

BIN = Path(sys.executable).parent
PROGRAMS = ("bkp-run", "bkp-exporter", "bkp-audit")
COMMANDS = [
    ("bkp-run", "status"),
    ("bkp-run", "nightly"),
    ("bkp-run", "config", "check"),
    ("bkp-run", "units", "show"),
    ("bkp-exporter",),
    ("bkp-exporter", "metrics"),
    ("bkp-exporter", "page"),
    ("bkp-audit",),
    ("bkp-audit", "run"),
    ("bkp-audit", "facts"),
    ("bkp-audit", "rules", "list"),
]
each_program = pytest.mark.parametrize("program", PROGRAMS)


def call(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / program), *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )


# ---------------------------------------------------------------- --config


@pytest.mark.parametrize("option", [("-c", "/named.yml"), ("--config=/named.yml",)], ids=" ".join)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_config_may_stand_before_and_after_every_word_and_beats_the_variable(
    command: tuple[str, ...], option: tuple[str, ...]
) -> None:
    for at in range(1, len(command) + 1):
        done = call(*command[:at], *option, *command[at:], BKP_CONFIG="/variable.yml")
        assert done.returncode == 2
        assert done.stderr.startswith(f"{command[0]}: error: /named.yml: no such configuration file\n  remedy: ")


@pytest.mark.parametrize("command", [words for words in COMMANDS if words[-1] != "list"], ids=" ".join)
def test_the_variable_names_the_configuration_where_the_call_does_not(command: tuple[str, ...]) -> None:
    done = call(*command, BKP_CONFIG="/variable.yml")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{command[0]}: error: /variable.yml: no such configuration file")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_config_is_the_same_everywhere(command: tuple[str, ...]) -> None:
    said = " ".join(call(*command, "--help").stdout.split())
    assert "-c, --config PATH The configuration file. [env var: BKP_CONFIG; default: /etc/bkp/config.yml]" in said


# ---------------------------------------------------------------- the forms of what is said


@each_program
def test_the_version_has_one_form(program: str) -> None:
    assert call(program, "--version").stdout == f"{program} {__version__}\n"


@each_program
def test_a_wrong_call_has_the_form_of_every_error(program: str) -> None:
    done = call(program, "--no-such-option")
    error, remedy = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert error.startswith(f"{program}: error: No such option")
    assert remedy.startswith(f"  remedy: `{program}")
    assert remedy.endswith("--help` shows how it is called")


@each_program
def test_on_a_terminal_an_error_is_red_unless_no_colour_is_wanted(program: str) -> None:
    def said(**environment: str) -> str:
        ours, theirs = pty.openpty()
        try:
            command = [str(BIN / program), "--no-such-option"]
            inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
            subprocess.run(command, env=inherited | environment, stderr=theirs, check=False, timeout=120)
            return os.read(ours, 10_000).decode()
        finally:
            os.close(ours)
            os.close(theirs)

    assert said().startswith(f"\x1b[31m{program}: error:\x1b[0m No such option")
    assert said(NO_COLOR="1").startswith(f"{program}: error: No such option")


def test_what_an_encoding_lacks_is_shown_by_its_number() -> None:
    done = call("bkp-run", "nightly", "--help", PYTHONIOENCODING="iso8859-1")
    assert done.returncode == 0, done.stderr
    assert "incomplete-\\u2026" in done.stdout


def test_the_shared_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, bkp.cli\n"
        "print({'msgspec', 'yaml', 'jinja2', 'rich', 'prometheus_client', 'subprocess'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"


def test_every_command_can_be_the_first_thing_that_is_imported() -> None:
    """Tests that keep everything loaded would not see a circle of imports, or one that is missing."""
    packages = (commands, jobs, cli)
    names = [each.name for package in packages for each in walk_packages(package.__path__, f"{package.__name__}.")]
    code = (
        "import os, sys, click, msgspec, yaml\n"  # what others have made is loaded once
        "for name in sys.argv[1:]:\n"
        "    if (child := os.fork()) == 0:\n"
        "        __import__(name)\n"
        "        os._exit(0)\n"
        "    if os.waitpid(child, 0)[1]: sys.exit(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=False, timeout=120
    )
    assert len(names) > 40
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------- how a program ends


def ending(
    body: Callable[[], object], *arguments: str, exit_code: Callable[[BkpError], int] = lambda error: error.exit_code
) -> object:
    """Return what a program ends with whose one command is `body`."""

    @click.group(cls=Program)
    def group() -> None:
        """Do it."""

    group.command("do")(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ignored", *(arguments or ("do",))])
        with pytest.raises(SystemExit) as ended:
            run("prog", group, exit_code=exit_code, after_defect=": believe nothing")
    return ended.value.code


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (4, 4), ("text", 0)])
def test_a_program_ends_with_what_its_command_returns(returned: object, code: int) -> None:
    assert ending(lambda: returned) == code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BkpError("it broke", remedy="mend it"), 3, "prog: error: it broke\n  remedy: mend it\n"),
        (UsageError("not so"), 2, "prog: error: not so\n"),
        (LockHeldError("held"), 4, "prog: error: held\n"),
        (click.ClickException("no"), 2, "prog: error: no\n  remedy: `prog --help` shows how it is called\n"),
        (KeyboardInterrupt(), 130, "\nprog: error: interrupted\n"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_is_one_message_and_its_exit_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(raising(error)) == code
    assert capsys.readouterr() == ("", said)


def test_a_program_may_give_its_errors_codes_of_its_own() -> None:
    assert ending(raising(LockHeldError("held")), exit_code=lambda _error: 7) == 7


def test_a_defect_shows_where_it_is_and_ends_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(lambda: 1 // 0) == 3
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert "ZeroDivisionError" in said
    assert said.endswith(
        "\nprog: error: this is a defect of prog: believe nothing\n  remedy: report it with these lines\n"
    )


def test_a_command_can_tell_a_configuration_that_was_named_from_one_that_was_not() -> None:
    found: list[Path | None] = []

    def body() -> None:
        found.append(named_config())

    ending(body)
    ending(body, "do", "-c", "/after.yml")
    ending(body, "-c", "/before.yml", "do")
    ending(body, "-c", "/before.yml", "do", "-c", "/after.yml")
    assert found == [None, Path("/after.yml"), Path("/before.yml"), Path("/after.yml")]
