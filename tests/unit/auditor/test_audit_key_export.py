"""A key export has one fingerprint, however it was wrapped on its way; whether borg takes it so is told apart."""

import base64
import contextlib
import hashlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.facts.key import parse_key_export

ID = "a" * 64
BLOB = bytes(range(256)) * 2 + b"end"
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
        "x" * 70_000,
    ],
)
def test_what_is_no_export_is_refused_and_never_quoted(content: str) -> None:
    with pytest.raises(ValueError, match="key export") as caught:
        parse_key_export(content.encode())
    assert TEXT[:16] not in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_key_export(content)


@given(st.integers(0, len(BLOB) - 1), st.integers(1, 255))
def test_any_change_of_the_key_changes_the_fingerprint(at: int, flip: int) -> None:
    other = bytearray(BLOB)
    other[at] ^= flip
    content = f"BORG_KEY {ID}\n{base64.b64encode(bytes(other)).decode()}\n"
    assert parse_key_export(content.encode()).fingerprint != FINGERPRINT
