"""The passphrase: read from its file without a shell, and carried in a type that never shows itself."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from bkp.errors import SecretFileError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "BORG_PASSPHRASE"
MAX_BYTES = 32 << 10
SHORTEST_MASKED = 4  # masking what is shorter would garble every line, and hide nothing that is hard to guess
_FORM = f"wanted a line such as: export {VARIABLE}='…' (in single quotes; the file is read, never executed)"


class Secret:
    """Text that must not be seen. Neither str, repr, format, pickle nor a traceback's locals show it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself: only to be written into the pipe of the program that needs it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be serialised")


def read_passphrase(path: Path) -> Secret:
    """Return the passphrase that `path` (such as /root/.borg_env, mode 0600) assigns to BORG_PASSPHRASE.

    Raise `SecretFileError` where the file cannot be used; the message names the line and never quotes it.
    """
    missing = "create it with mode 0600, or correct repositories.….passphrase_file"
    return parse_passphrase(read_secret(path, "passphrase file", form=_FORM, missing=missing), str(path))


def from_person(what: str, *, descriptor: int | None = None) -> Secret:
    """Return what a person types without an echo, or the first line that comes through a descriptor.

    Raise `SecretFileError` where there is neither a terminal nor a descriptor, or nothing comes.
    """
    if descriptor is not None:
        try:
            with os.fdopen(os.dup(descriptor), "rb") as handle:
                line = handle.readline(MAX_BYTES + 1).rstrip(b"\r\n").decode("utf-8")
        except (OSError, UnicodeDecodeError):
            raise SecretFileError(f"descriptor {descriptor} gives no text", remedy="open it for reading") from None
    else:
        import getpass

        if not _is_terminal():
            remedy = "call it on a terminal, or give it through a descriptor (--passphrase-fd, --stdin)"
            raise SecretFileError("there is no terminal to ask on", remedy=remedy)
        line = getpass.getpass(f"{what}: ")
    if not line:
        raise SecretFileError("no passphrase was given", remedy="give the one that lies at the location")
    return Secret(line)


def _is_terminal() -> bool:
    """Return whether a person can be asked: standard input may be a key, so the terminal itself is opened."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def loose_permissions(path: Path) -> str | None:
    """Return what is too open about a secret's file, or None if only its owner can read it (or it is not there)."""
    try:
        facts = path.stat()  # of the file itself: a symbolic link has no mode of its own
    except OSError:
        return None
    mode = stat.S_IMODE(facts.st_mode)
    return f"{path} has mode {mode:04o}, wanted at most 0600" if mode & 0o077 else None


def read_secret(path: Path, what: str, *, form: str, missing: str) -> str:
    """Return the text of a file that holds a secret. `form` and `missing` are what to do if it is bad, or not there.

    Raise `SecretFileError` where it cannot be used; the message never quotes it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise SecretFileError(f"{path}: not a regular file", remedy=form)
            content = handle.read(MAX_BYTES + 1)
    except OSError as exc:
        raise SecretFileError(f"{path}: the {what} cannot be read: {exc.strerror}", remedy=missing) from None
    if len(content) > MAX_BYTES:
        raise SecretFileError(f"{path}: larger than {MAX_BYTES >> 10} KiB", remedy=form)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretFileError(f"{path}: not UTF-8 text", remedy="save the file as UTF-8") from None


def parse_passphrase(text: str, source: str) -> Secret:
    """Return what `text` assigns to BORG_PASSPHRASE, read as sh(1) would, with every expansion refused.

    Other lines may be comments or set other variables. A line that does more is refused, since what follows it could
    then mean something else to a shell.
    """
    found: Secret | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if bad := re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line):
            what = "a carriage return: save the file with Unix line ends" if bad[0] == "\r" else "a control character"
            raise SecretFileError(f"{source}:{number}: holds {what}", remedy=_FORM)
        match = re.match(rf"[ \t]*(?:export[ \t]+)?{VARIABLE}=", line)
        if match is None:
            if _OTHER.fullmatch(line) is None:  # it could change what the file means without setting a variable
                what = "only comments and lines that set a variable are understood"
                raise SecretFileError(f"{source}:{number}: {what}", remedy=_FORM)
            continue
        if found is not None:
            raise SecretFileError(f"{source}:{number}: {VARIABLE} is set twice", remedy="keep one of the lines")
        found = Secret(_value(line[match.end() :], source, number))
    if found is None:
        raise SecretFileError(f"{source}: does not set {VARIABLE}", remedy=_FORM)
    return found


_QUOTED = r"""'[^']*'|"(?:[^"`$\\]|\\.)*\""""
_WORD = rf"""(?:{_QUOTED}|\\.|[A-Za-z0-9_.,:/@%+=^#-]|[^\x00-\x7f])"""
_END = r"""[ \t]*(?:[ \t]\#.*)?"""
# What else is set is of no interest, only that its quotes close in the same line.
_EXPANSION = r"\$(?:[A-Za-z_]|\{[A-Za-z_]+\})"
_ANY_VALUE = rf"""(?:'[^']*'|"(?:[^"\\`$]|\\.|{_EXPANSION})*"|{_EXPANSION}|[^\s'"\\`;&|<>()$#]|(?<=\S)\#)*"""
_OTHER = re.compile(
    rf"[ \t]*(?:\#.*|(?:export[ \t]+[A-Za-z_]\w*(?:={_ANY_VALUE})?|[A-Za-z_]\w*={_ANY_VALUE}){_END})?", re.ASCII
)


def _value(rest: str, source: str, number: int) -> str:
    """Return the value of the words after `=`. What a shell would expand, or run, is refused by what it is."""
    match = re.fullmatch(rf"({_WORD}*){_END}", rest)
    if match is None:
        raise SecretFileError(f"{source}:{number}: {_why_not(rest)}", remedy=_FORM)
    return "".join(map(_unquoted, re.findall(_WORD, match[1])))


def _unquoted(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] == '"':  # there a backslash quotes these four only, and is itself before anything else
        return re.sub(r'\\([$`"\\])', r"\1", part[1:-1])
    return part.removeprefix("\\")


def _why_not(rest: str) -> str:
    unquoted = re.sub(rf"{_QUOTED}|\\.", "", rest)
    if re.search(r"[$`]", unquoted):
        return "the value holds something that a shell would expand"
    if re.search(r"['\"]", unquoted):
        return "a quote is not closed"
    if re.search(r"[ \t]+[^#\s]", unquoted):
        return "the value is more than one word"
    return "the value holds a character that a shell would act upon"
