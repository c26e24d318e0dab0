"""YAML text becomes plain data without silent conversions, and every mistake is one error with its line and column."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkp.errors import ConfigError, InputFileError
from bkp.yamlfile.loader import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, Document, load_yaml


def read(text: str | bytes) -> Any:
    return load_yaml(text, "file.yml").data


def refused(text: str | bytes) -> InputFileError:
    with pytest.raises(InputFileError) as caught:
        load_yaml(text, "file.yml")
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        *("on", "off", "yes", "no", "y", "n", "Yes", "True", "TRUE", "False", "NULL", "Null", "None"),
        *("0600", "0o600", "0x10", "0b1", "00", "-01", "+1", "1_000", "1e3", ".5", "5.", ".inf", "-.inf", ".nan"),
        *("2026-11-23", "2026-11-23T02:30:00Z", "2026-11-23 02:30:00"),
        *("02:30", "12:30", "190:20:30", "12:30:45.5"),
        *("=", "<<", "1.2.3", "26h", "1G", "9999999999999999999"),
    ],
)
def test_what_yaml_1_1_would_convert_silently_stays_text(text: str) -> None:
    assert read(f"key: {text}\n") == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("null", None), ("~", None), ("", None), ("true", True), ("false", False), ("0", 0), ("-7", -7), ("10", 10)),
        *(("0.5", 0.5), ("-1.25", -1.25), ("'0600'", "0600"), ('"true"', "true"), ("'null'", "null"), ("'5'", "5")),
        *(("999999999999999999", 999999999999999999), ("[]", []), ("{}", {}), ("[1, a]", [1, "a"])),
    ],
)
def test_only_null_true_false_and_decimal_numbers_are_more_than_text(text: str, value: object) -> None:
    found = read(f"key: {text}\n")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "---\n...\n"])
def test_an_empty_file_is_nothing(text: str) -> None:
    assert read(text) is None


def position(document: Document, path: tuple[str | int, ...], *, at_key: bool = False) -> tuple[int | None, int | None]:
    error = document.error(path, "wrong", at_key=at_key)
    return error.line, error.column


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbfkey: 1\n") == {"key": 1}


def test_windows_line_ends_are_read() -> None:
    document = load_yaml(b"a: 1\r\nb: x\r\n", "file.yml")
    assert document.data == {"a": 1, "b": "x"}
    assert position(document, ("b",)) == (2, 4)


def test_literal_blocks_keep_their_text() -> None:
    assert read("key: |\n  0600\n  [[[ not flow\n") == {"key": "0600\n[[[ not flow\n"}


def test_an_alias_repeats_its_anchors_value() -> None:
    assert read("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


POSITIONS = """\
# heading
top:   {flow: [1,  two]}
list:
  - name: ü€😀 after
    deep:   x
  -   second
"quoted key": 1
? explicit
: value
"""


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("top",), (2, 1), (2, 8)),
        (("top", "flow"), (2, 9), (2, 15)),
        (("top", "flow", 1), (2, 20), (2, 20)),
        (("list",), (3, 1), (4, 3)),
        (("list", 0), (4, 5), (4, 5)),
        (("list", 0, "name"), (4, 5), (4, 11)),
        (("list", 0, "deep"), (5, 5), (5, 13)),
        (("list", 1), (6, 7), (6, 7)),
        (("quoted key",), (7, 1), (7, 15)),
        (("explicit",), (8, 3), (9, 3)),
        (("list", 0, "absent", "below"), (4, 5), (4, 5)),
    ],
)
def test_every_key_and_value_knows_its_line_and_column(
    path: tuple[str | int, ...], key: tuple[int, int], value: tuple[int, int]
) -> None:
    document = load_yaml(POSITIONS, "file.yml")
    assert position(document, path, at_key=True) == key
    assert position(document, path) == value


def test_columns_count_characters_and_not_bytes() -> None:
    document = load_yaml("{ü€😀: x, b: y}", "file.yml")
    assert position(document, ("b",), at_key=True) == (1, 10)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "key 'a' is there twice (first on line 1)"),
        ("x:\n  a: 1\n  'a': 3\n", 3, 3, "key 'a' is there twice (first on line 2)"),
        ("{a: 1, a: 2}", 1, 8, "twice (first on line 1)"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "merge keys (<<) are not allowed"),
        ("a: !!str 0600\n", 1, 4, "tag '!!str' is not allowed"),
        ("a: !!int '5'\n", 1, 4, "tag '!!int' is not allowed"),
        ("a: !!set {b}\n", 1, 4, "tag '!!set' is not allowed"),
        ("a: !!map {}\n", 1, 4, "tag '!!map' is not allowed"),
        ("a: !!seq []\n", 1, 4, "tag '!!seq' is not allowed"),
        ("!!str a: 1\n", 1, 1, "tag '!!str' is not allowed"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, 4, "tag '!!python/object/apply:os.system' is not allowed"),
        ("a: !own x\n", 1, 4, "tag '!own' is not allowed"),
        ("a: !<int> x\n", 1, 4, "tag 'int' is not allowed"),
        ("a: 1\n---\nb: 2\n", 2, 1, "another document"),
        ("1: x\n", 1, 1, "a key must be text"),
        ("true: x\n", 1, 1, "a key must be text"),
        ("? [a]\n: x\n", 1, 3, "a key must be text"),
        ("null: x\n", 1, 1, "a key must be text"),
        ("a: &x [*x]\n", 1, 4, "contains itself"),
        ("a: *nowhere\n", 1, 4, "undefined alias"),
        ("a: [1, 2\n", 2, 1, "not valid YAML"),
        ("a: 1\n b: 2\n", 2, 3, "not valid YAML"),
        ("a: 'x\n", 2, 1, "not valid YAML"),
        ("a: 1\nb: \x01\n", 2, 4, "the character U+0001 is not allowed"),
        ("ü: \x85\n", 1, 4, "the character U+0085 is not allowed"),
        ("a: 1 # \u2028\n", 1, 8, "the character U+2028 is not allowed"),
        ("a: 1\rb: 2\n", 1, 5, "the character U+000D is not allowed"),
        ("a: \ud800\n", 1, 4, "the character U+D800 is not allowed"),
        ("%YAML 9.9\n---\na: 1\n", 1, 1, "incompatible YAML document"),
    ],
)
def test_a_mistake_names_its_line_and_column(text: str, line: int, column: int, says: str) -> None:
    error = refused(text)
    assert says in error.message
    assert (error.line, error.column) == (line, column)
    assert str(error).startswith(f"file.yml:{line}:{column}: ")


def test_a_tab_in_the_indentation_is_named_as_such() -> None:
    error = refused("a:\n\tb: 1\n")
    assert (error.line, error.column) == (2, 1)
    assert error.remedy == "indent with spaces, never with tabs"


def test_a_file_that_is_not_utf_8_names_the_line() -> None:
    error = refused(b"a: 1\nb: caf\xe9\n")
    assert error.line == 2
    assert "not UTF-8" in error.message


@pytest.mark.parametrize("text", ["!%ED%B0%80 a", "!%ff a", "%TAG ! %ff\n--- a", "!%C3%28 a"])
def test_a_tag_that_decodes_to_no_utf_8_is_an_error_like_any_other(text: str) -> None:
    refused(text)


def test_the_kind_of_error_is_the_callers() -> None:
    with pytest.raises(ConfigError):
        load_yaml("a: [", "config.yml", error=ConfigError)


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_what_would_exhaust_the_stack_is_refused_by_line(bracket: str) -> None:
    error = refused(bracket * (MAX_BYTES // len(bracket) - 10))
    assert f"more than {MAX_DEPTH} levels" in error.message
    assert error.line == 1


def test_deep_indentation_is_refused_at_the_first_level_too_many() -> None:
    error = refused("\n".join(" " * depth + "a:" for depth in range(1200)))
    assert (error.line, error.column) == (MAX_DEPTH + 2, MAX_DEPTH + 2)


def test_nesting_is_allowed_up_to_the_limit() -> None:
    read("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    refused("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2))


def test_brackets_in_comments_and_texts_are_no_nesting() -> None:
    assert read("# " + "[" * 500 + "\na: '" + "{" * 500 + "'\n") == {"a": "{" * 500}


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert f"more than {MAX_ALIASES} aliases" in refused(bomb).message


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    error = refused(b"#" * (MAX_BYTES + 1))
    assert "larger than 1 MiB" in error.message


def test_a_file_of_very_many_values_is_refused() -> None:
    assert "values" in refused("[" + "0," * 210_000 + "0]").message


def is_plain(value: object, depth: int = 0) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item, depth + 1) for key, item in value.items())
    if isinstance(value, list):
        return all(is_plain(item, depth + 1) for item in value)
    return value is None or type(value) in {str, int, float, bool}


YAML_SOUP = st.text(alphabet=st.sampled_from("ab10 \t\n:-?[]{}#&*!|>'\"%@`,=<~.ü\\"), max_size=120)


@given(st.binary(max_size=300) | YAML_SOUP | st.text(max_size=120))
@example(b"\xff\xfe\x00")
@example("&a [*a]")
@example('"\\ud800"')
@example('"\\U00110000"')
@example("! ")
def test_whatever_the_bytes_the_result_is_plain_data_or_one_error(content: bytes | str) -> None:
    try:
        document = load_yaml(content, "file.yml")
    except InputFileError as error:
        assert str(error).startswith("file.yml")  # noqa: PT017  # either outcome is right
    else:
        assert is_plain(document.data)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_json_is_read_as_what_it_says(value: object) -> None:
    import msgspec

    assert read(msgspec.json.encode(value)) == value
