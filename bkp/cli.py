"""What the three command lines share: --config, --version, the form of help and errors, and how a program ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bkp import __version__
from bkp.errors import BkpError, ExitCode
from bkp.output import outlive_readers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CONFIG_VARIABLE = "BKP_CONFIG"
DEFAULT_CONFIG = Path("/etc/bkp/config.yml")
WIDEST = 100

_NAMED = "bkp.cli.config"
_NO_ARGUMENTS: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())  # since click 8.2; until then it is no error


class Program(click.Group):
    """The outermost command of a program. It and all commands below take --config and pass the path on as `obj`.

    Commands may be in modules of `package`, each with its tuple COMMANDS: `modules` says which names are in which. A
    module is imported when one of its commands is called, or when all are asked for, as by --help.
    """

    def __init__(
        self, *args: Any, package: str = "", modules: Mapping[str, Iterable[str]] | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST})
        super().__init__(*args, **kwargs)
        self._module_of = {name: f"{package}.{module}" for module, names in (modules or {}).items() for name in names}
        _accept_config(self)
        click.version_option(__version__, message="%(prog)s %(version)s")(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, whose modules are imported."""
        for name in self._module_of:
            self._load(name)
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, whose module is imported."""
        self._load(cmd_name)
        return super().get_command(ctx, cmd_name)

    def _load(self, name: str) -> None:
        if name in self._module_of and name not in self.commands:
            for command in import_module(self._module_of[name]).COMMANDS:
                self.add_command(command)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, complete with those below it."""
        _accept_config(cmd)
        super().add_command(cmd, name)


def named_config() -> Path | None:
    """Return the --config of this call; None if the file is that of the variable or the default."""
    named: Path | None = click.get_current_context().meta.get(_NAMED)
    return named


def examples(*lines: str) -> str:
    """Return the end of a command's help: how it is called, line by line as written."""
    head = "Examples:" if len(lines) > 1 else "Example:"
    return "\n".join(("\b", head, *(f"  {line}" for line in lines)))


def run(
    program: str,
    group: Program,
    *,
    exit_code: Callable[[BkpError], int] = lambda error: error.exit_code,
    after_defect: str = "",
) -> NoReturn:
    """Run the command line and end the process. Every error becomes one message, and an exit code that means it.

    A command returns its exit code, or None for 0. A wrong call ends with 2, Ctrl-C with 130, an error of ours with
    `exit_code` of it. A defect ends with 3: left to Python it would end with 1, which means something else.
    `after_defect` says what a defect means for what the program has said before.
    """
    outlive_readers()
    atexit.register(gc.freeze)  # what is left need not be searched for garbage: the process ends
    try:
        code = group.main(prog_name=program, standalone_mode=False, color=_colour())
    except BkpError as exc:
        complain(program, exc)
        sys.exit(exit_code(exc))
    except click.ClickException as exc:
        _explain(program, exc)
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        complain(program, "interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001  # whatever it is
        import traceback

        traceback.print_exc()
        complain(program, BkpError(f"this is a defect of {program}{after_defect}", remedy="report it with these lines"))
        sys.exit(ExitCode.FAILURE)
    sys.exit(code if isinstance(code, int) else ExitCode.SUCCESS)


def complain(program: str, error: BkpError | str) -> None:
    """Print an error and its remedy on standard error; on a terminal in lines of its width."""
    text = str(error)
    if sys.stderr.isatty():
        width = min(WIDEST, os.get_terminal_size(sys.stderr.fileno()).columns or WIDEST)
        lines = ((line.lstrip(), line) for line in text.splitlines())
        text = "\n".join(click.wrap_text(bare, width, line.removesuffix(bare), "    ") for bare, line in lines)
    click.echo(f"{click.style(f'{program}: error:', fg='red')} {text}", err=True, color=_colour())


def _accept_config(command: click.Command) -> None:
    if _CONFIG not in command.params:
        command.params.append(_CONFIG)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _accept_config(inner)


def _take_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.obj = context.meta[_NAMED] = value
    elif context.parent is None and context.obj is None:
        context.obj = Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


# Not click's own default and variable: after a command they would hide what was named before it.
_CONFIG = click.Option(
    ["-c", "--config"],
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_take_config,
    help=f"The configuration file.  [env var: {CONFIG_VARIABLE}; default: {DEFAULT_CONFIG}]",
)


def _explain(program: str, error: click.ClickException) -> None:
    """Say what click found wrong with the call."""
    if isinstance(error, _NO_ARGUMENTS):  # its message is the help
        error.show()
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else program
    complain(program, BkpError(error.format_message(), remedy=f"`{command} --help` shows how it is called"))


def _colour() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None  # None: where somebody can see it
