"""Typed failures and the one place where they become exit codes.

Every error that a person may see derives from `BkpError`: its text is one sentence of what is wrong and, in `remedy`,
what to do about it. No message ever holds a secret.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """What a `bkp-run` job ends with; the same for every job.

    `bkp-audit` has a meaning of its own for 1 and 3 (`auditor.exit_codes`), but shares 0 and 2.
    """

    SUCCESS = 0
    WARNING = 1
    USAGE = 2
    FAILURE = 3
    NOT_NOW = 4
    INTERRUPTED = 130


class BkpError(Exception):
    """Something a person has to know of. `exit_code` says how the program ends if nothing handles it."""

    exit_code: ExitCode = ExitCode.FAILURE

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


def did_you_mean(found: str, known: Iterable[str], further: str | None = None) -> str | None:
    """Return a remedy for a misspelt word: the nearest known one, if one is near, and what `further` helps."""
    import difflib  # only wanted once something is wrong

    near = difflib.get_close_matches(found[:120], known, n=1, cutoff=0.5)
    hints = ([f"did you mean {near[0]!r}?"] if near else []) + ([further] if further else [])
    return " ".join(hints) or None


class UsageError(BkpError):
    """The call's words are off, or name something that is not there."""

    exit_code = ExitCode.USAGE


class InputFileError(BkpError):
    """A file that a person writes (configuration, rule, waiver) is not valid. Names file, line and column."""

    exit_code = ExitCode.USAGE

    def __init__(
        self, source: str, line: int | None, message: str, *, column: int | None = None, remedy: str | None = None
    ) -> None:
        where = source
        if line is not None:
            where += f":{line}" if column is None else f":{line}:{column}"
        super().__init__(f"{where}: {message}", remedy=remedy)
        self.source = source
        self.line = line
        self.column = column


class ConfigError(InputFileError):
    """The configuration file cannot be used."""


class SecretFileError(BkpError):
    """The passphrase file is missing, unreadable or not of the one form that is understood. Never quotes it."""

    exit_code = ExitCode.USAGE


class StateError(BkpError):
    """The state directory cannot be written, or its history is broken."""


class RefutedError(BkpError):
    """What lies at an escrow location is not what should be there: nothing is attested."""


class LockHeldError(BkpError):
    """Another run holds the lock; the message says which, since when, and whether it is alive."""

    exit_code = ExitCode.NOT_NOW


class DeferredError(BkpError):
    """The job decided not to do its work now, for a good reason; its deadline has not passed."""

    exit_code = ExitCode.NOT_NOW


class GoesOnError(BkpError):
    """The work goes on without this process, and its end is not known yet. No failure: the run stays under way."""

    exit_code = ExitCode.SUCCESS


class StepFailedError(BkpError):
    """A step of a job failed in a way that ends the job; the record has the details."""


class InterruptedRunError(BkpError):
    """SIGTERM, SIGHUP or Ctrl-C ended the run."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, signal_name: str, left: str | None = None) -> None:
        super().__init__(f"interrupted by {signal_name}" + (f": {left}" if left else ""))
        self.signal_name = signal_name
