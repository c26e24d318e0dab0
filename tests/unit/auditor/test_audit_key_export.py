"""A key export has one fingerprint, however it was wrapped on its way; whether borg takes it so is told apart."""

import ast
import base64
import contextlib
import hashlib
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.cli.fingerprint import standalone_program
from bkp import key_export
from bkp.key_export import parse_key_export

ID = "a" * 64
SECRETS = {"data": bytes(range(256)) + bytes(158), "hash": b"h" * 32, "salt": b"s" * 32}
VALUES: dict[str, Any] = {"algorithm": "sha256", **SECRETS, "iterations": 100_000, "version": 1}
BLOB = msgspec.msgpack.encode(VALUES)
TEXT = base64.b64encode(BLOB).decode()
EXPORT = f"BORG_KEY {ID}\n" + "\n".join(textwrap.wrap(TEXT, 76)) + "\n"
FINGERPRINT = hashlib.sha256(BLOB).hexdigest()


@pytest.mark.parametrize(
    ("content", "usable"),
    [
        (EXPORT, True),
        (EXPORT.replace("\n", "\r\n"), True),
        (f"BORG_KEY {ID}\n{TEXT}\n", True),
        (f"BORG_KEY {ID}\n" + "\n".join(textwrap.wrap(TEXT, 40)), True),
        (EXPORT + "\n\n", True),
        ("\n" + EXPORT, False),
        ("  " + EXPORT, False),
        (EXPORT.replace("\n", " "), False),
        ("\ufeff" + EXPORT, False),
        (EXPORT.replace(ID, ID.upper()), False),
    ],
)
def test_the_same_key_however_wrapped(content: str, usable: bool) -> None:
    key = parse_key_export(content.encode())
    assert (key.fingerprint, key.repository_id, key.usable) == (FINGERPRINT, ID, usable)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        TEXT,
        f"BORG_KEY {ID}\n",
        f"BORG_KEY {ID[:-1]}\n{TEXT}",
        EXPORT[:-9],
        EXPORT.replace("A", "!", 1),
        "x" * 300_000,
    ],
)
def test_what_is_no_export_is_refused_and_never_quoted(content: str) -> None:
    with pytest.raises(ValueError, match="key export") as caught:
        parse_key_export(content.encode())
    assert TEXT[:16] not in str(caught.value)


def test_an_export_that_is_cut_off_after_its_first_line_is_damaged() -> None:
    with pytest.raises(ValueError, match="it is cut short"):
        parse_key_export(f"BORG_KEY {ID}\n".encode())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"The server's key\n\n{EXPORT}", "something besides"),
        (f"{EXPORT}\n-- \nthe passphrase is elsewhere!\n", "something besides"),
        (f"```\n{EXPORT}```\n", "something besides"),
        (EXPORT + EXPORT, "several exports"),
    ],
)
def test_an_export_among_notes_or_other_exports_is_to_be_taken_out(content: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"is no key export alone, but has {why}"):
        parse_key_export(content.encode())


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_key_export(content)


def exported(blob: bytes) -> bytes:
    return f"BORG_KEY {ID}\n{base64.b64encode(blob).decode()}\n".encode()


@given(st.integers(0, len(BLOB) - 1), st.integers(1, 255))
def test_any_change_of_the_key_changes_the_fingerprint_or_is_damage(at: int, flip: int) -> None:
    other = bytearray(BLOB)
    other[at] ^= flip
    with contextlib.suppress(ValueError):
        assert parse_key_export(exported(bytes(other))).fingerprint != FINGERPRINT


@given(st.integers(0, len(BLOB) - 1))
def test_a_key_that_is_cut_off_anywhere_is_damaged_and_no_other_key(length: int) -> None:
    """borg imports such a one without a word; base64 that was cut off often still decodes."""
    with pytest.raises(ValueError, match="key export"):
        parse_key_export(exported(BLOB[:length]))


def test_what_follows_the_key_is_damage() -> None:
    with pytest.raises(ValueError, match="something follows"):
        parse_key_export(exported(BLOB + b"\x00"))


def paper(blob: bytes = BLOB, **changes: str) -> str:
    """Write a paper key as borg does (borg/crypto/keymanager.py, export_paperkey)."""
    parts = [blob[at : at + 18] for at in range(0, len(blob), 18)]
    head = f"{len(parts)}/{ID[:18]}/{hashlib.sha256(blob).hexdigest()[:12]}"
    lines = [f"id: {head.replace('/', ' / ')} - {hashlib.sha256(head.encode()).hexdigest()[:2]}"]
    for number, part in enumerate(parts, 1):
        check = hashlib.sha256(number.to_bytes(2, "big") + part).hexdigest()[:2]
        lines.append(f"{number:2d}: {part.hex(' ', 3)} - {check}")
    text = "To restore key use borg key import --paper\n\nBORG PAPER KEY v1\n" + "\n".join(lines) + "\n"
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def test_a_paper_key_is_the_same_key_even_if_typed_in_capitals() -> None:
    for text in (paper(), paper().upper()):
        key = parse_key_export(text.encode())
        assert (key.form, key.fingerprint, key.repository_id) == ("paper", FINGERPRINT, ID[:18])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (paper().replace(" 3: ", " 4: "), "line 3 is missing"),
        ("\n".join(paper().splitlines()[:-1]), "ends before line"),
        ("\n".join(paper().splitlines()[:4]), "ends before line 1"),
        (paper().replace("7368", "7369", 1), "does not fit its checksum"),
        (paper().replace(f"id: {len(BLOB) // 18 + 1} ", "id: 9 "), "its id line"),
        (paper().replace("id:", "ID "), "its id line"),
    ],
)
def test_a_paper_key_with_a_fault_says_where(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_key_export(text.encode())


def test_a_page_for_its_code_is_the_same_key_but_not_usable_as_it_is() -> None:
    page = f"<html><textarea id='keyfile'>{EXPORT.replace('+', '&#43;')}</textarea>BORG PAPER KEYS</html>"
    key = parse_key_export(page.encode())
    assert (key.form, key.fingerprint, key.usable) == ("page", FINGERPRINT, False)


def test_neither_repr_nor_what_is_told_shows_the_key() -> None:
    key = parse_key_export(EXPORT.encode())
    shown = repr(key) + "\n".join(key_export.describe_key(key))
    assert TEXT[:20] not in shown
    assert BLOB.hex()[:20] not in shown
    assert FINGERPRINT in shown


def test_the_standalone_program_is_the_module_and_runs_with_nothing_but_an_old_python(tmp_path: Path) -> None:
    program = tmp_path / "fingerprint.py"
    program.write_text(standalone_program(), encoding="utf-8")
    ast.parse(program.read_text(encoding="utf-8"), feature_version=(3, 7))
    (tmp_path / "key.txt").write_text(EXPORT)
    alone = [sys.executable, "-I", "-S", str(program)]
    done = subprocess.run([*alone, "key.txt"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert FINGERPRINT in done.stdout
    piped = subprocess.run([*alone, "-"], input=EXPORT[:-9], capture_output=True, text=True, check=False)
    assert (piped.returncode, piped.stdout) == (2, "")
    assert "standard input is a damaged key export" in piped.stderr
