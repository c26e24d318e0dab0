"""The passphrase file: read as sh reads it, or refused."""

from __future__ import annotations

import os
import pickle
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bkp.errors import ExitCode, SecretFileError
from bkp.secrets import Secret, loose_permissions, parse_passphrase, read_passphrase

if TYPE_CHECKING:
    from pathlib import Path


def _read(text: str) -> str:
    return parse_passphrase(text, "/root/.borg_env").reveal()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("export BORG_PASSPHRASE='correct horse'\n", "correct horse"),
        ("BORG_PASSPHRASE=plain", "plain"),
        ("  export  BORG_PASSPHRASE=plain   # why\n", "plain"),
        ("export BORG_PASSPHRASE='it'\\''s'", "it's"),
        ('BORG_PASSPHRASE="a b"', "a b"),
        ('BORG_PASSPHRASE="a\\$b\\`c\\"d\\\\e\\f"', 'a$b`c"d\\e\\f'),
        ("BORG_PASSPHRASE=a\\ b\\$c", "a b$c"),
        ("BORG_PASSPHRASE='a$b;c`d`#e'", "a$b;c`d`#e"),
        ("BORG_PASSPHRASE=a#b", "a#b"),
        ("BORG_PASSPHRASE=", ""),
        ("BORG_PASSPHRASE='' # none", ""),
        ("BORG_PASSPHRASE='žluť 😀'", "žluť 😀"),
        ("# it's a comment\n\nexport BORG_REPO=\"/srv/x\"\nexport BORG_PASSPHRASE='x'\nexport BORG_REPO\n", "x"),
        ("export PATH=$PATH:/opt/bin\nBORG_PASSPHRASE=x", "x"),
        ("export BORG_PASSPHRASE='x'\nexport BORG_PASSPHRASE", "x"),
    ],
)
def test_what_a_shell_would_read_is_read(text: str, value: str) -> None:
    assert _read(text) == value
    assert _read(text) == _shell(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not set BORG_PASSPHRASE"),
        ("export OTHER=x", "does not set BORG_PASSPHRASE"),
        ("BORG_PASSPHRASE=$(pass show borg)", ":1: the value holds something that a shell would expand"),
        ("BORG_PASSPHRASE=`pass`", "would expand"),
        ('BORG_PASSPHRASE="$HOME"', ":1: "),
        ("BORG_PASSPHRASE='x", ":1: a quote is not closed"),
        ("BORG_PASSPHRASE=a b", ":1: the value is more than one word"),
        ("BORG_PASSPHRASE=~", ":1: "),
        ("BORG_PASSPHRASE=a*", ":1: "),
        ("BORG_PASSPHRASE=a;b", ":1: "),
        ("BORG_PASSPHRASE=a\nBORG_PASSPHRASE=b", ":2: BORG_PASSPHRASE is set twice"),
        ("BORG_PASSPHRASE=x\r\n", ":1: holds a carriage return: save the file with Unix line ends"),
        ("BORG_PASSPHRASE='a\x00b'", ":1: holds a control character"),
        ("OTHER='\nBORG_PASSPHRASE=x\n'", ":1: only comments and lines that set a variable are understood"),
        ("if false; then\nBORG_PASSPHRASE=x\nfi", ":1: only comments"),
        ("cat <<END\nBORG_PASSPHRASE=x\nEND", ":1: only comments"),
        ("OTHER=x\\\nBORG_PASSPHRASE=x", ":1: only comments"),
        ("\ufeffexport BORG_PASSPHRASE=x", ":1: only comments"),
    ],
)
def test_what_a_shell_would_do_more_with_is_refused_by_line_and_never_quoted(text: str, said: str) -> None:
    with pytest.raises(SecretFileError) as caught:
        _read(text)
    assert said in caught.value.message
    assert caught.value.remedy
    assert caught.value.exit_code is ExitCode.USAGE
    for word in ("pass show", "$HOME", "carrot"):
        assert word not in str(caught.value)


def _shell(text: str) -> str:
    """Return what the real sh makes of a file with that text."""
    script = '. "$1" || exit 3; printf %s "$BORG_PASSPHRASE"'
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as handle:
        handle.write(text.encode())
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", f"/dev/fd/{read_end}"],
        pass_fds=(read_end,),
        env={"PATH": "/nonexistent", "LC_ALL": "C.UTF-8", "HOME": "/home/somebody"},
        cwd="/",
        capture_output=True,
    )
    os.close(read_end)
    return done.stdout.decode("utf-8", "replace")


_WORDS = st.text("ab'\"\\$`#~*?[]{}!;&|<>() \té\x80\u2028\x85=:/.-\r", max_size=8)
_LINES = st.one_of(
    _WORDS.map("BORG_PASSPHRASE={}".format),
    _WORDS.map("export BORG_PASSPHRASE={}".format),
    _WORDS.map(lambda word: f"export BORG_PASSPHRASE='{word}'"),
    _WORDS.map(lambda word: f'BORG_PASSPHRASE="{word}"'),
    _WORDS.map("OTHER={}".format),
    _WORDS.map("export OTHER={}".format),
    _WORDS.map("# {}".format),
    _WORDS,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_LINES, min_size=1, max_size=3).map("\n".join))
def test_what_is_accepted_is_exactly_what_the_real_shell_says(text: str) -> None:
    try:
        value = _read(text)
    except SecretFileError:
        return
    assert value == _shell(text)


def test_the_file_must_be_a_regular_readable_one(tmp_path: Path) -> None:
    good = tmp_path / "env"
    good.write_text("export BORG_PASSPHRASE='carrot'\n")
    good.chmod(0o600)
    assert read_passphrase(good).reveal() == "carrot"
    link = tmp_path / "link"
    link.symlink_to(good)
    assert read_passphrase(link).reveal() == "carrot"

    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    latin = tmp_path / "latin"
    latin.write_bytes(b"BORG_PASSPHRASE='\xe9'")
    huge = tmp_path / "huge"
    huge.write_bytes(b"#" * (1 << 20))
    for path, said in (
        (tmp_path / "none", "cannot be read: No such file"),
        (tmp_path, "Is a directory"),
        (fifo, "not a regular file"),
        (latin, "not UTF-8 text"),
        (huge, "larger than"),
    ):
        with pytest.raises(SecretFileError, match=said):
            read_passphrase(path)


def test_permissions_that_let_others_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("x")
    for mode in (0o600, 0o400, 0o700):
        path.chmod(mode)
        assert loose_permissions(path) is None
    for mode in (0o640, 0o604, 0o620, 0o666):
        path.chmod(mode)
        assert loose_permissions(path) == f"{path} has mode {mode:04o}, wanted at most 0600"
    assert loose_permissions(tmp_path / "none") is None
    path.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert loose_permissions(link) is None


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("carrot")
    assert "carrot" not in f"{secret} {secret!r} {secret!s} {[secret]} {secret:>30}"
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret
    assert not Secret("")
