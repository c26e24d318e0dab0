"""Durations and sizes are read as people write them, exactly, and written so that they can be read again."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkp.config.values import Duration, ListenAddress, Size, decode_value
from bkp.quantities import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90s", 90),
        ("30m", 1800),
        ("26h", 93600),
        ("7d", 604800),
        ("2w", 1209600),
        ("1h30m", 5400),
        ("1h 30m", 5400),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "h",
        "-1h",
        "+1h",
        "1.5h",
        "1H",
        "1h ",
        " 1h",
        "1h  30m",
        "1 h",
        "1h\n",
        "1h,30m",
        "1y",
        "\u0661h",
        "9" * 80 + "s",
        "999999w",
    ],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"wanted a duration such as|over 100 years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(
            ("0", 0),
            ("812", 812),
            ("812B", 812),
            ("1K", 1024),
            ("1k".upper(), 1024),
            ("500M", 500 << 20),
            ("1G", 1 << 30),
        ),
        *(("1.5T", 3 << 39), ("2P", 2 << 50), ("1 GiB", 1 << 30), ("1GB", 1 << 30), ("0.5K", 512)),
        *(("9007199254740993", 9007199254740993), ("0.0009765625K", 1)),
    ],
)
def test_a_size_is_exact_and_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "-1G",
        "1,5G",
        "1g",
        "1iB",
        "1BB",
        "1BiB",
        "1E",
        ".5G",
        "1.G",
        "1G\n",
        "1  G",
        "\u0661G",
        "nan",
        "9" * 30,
    ],
)
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="wanted a size such as"):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *(
            (0, "0s"),
            (0.04, "0s"),
            (0.4, "0.4s"),
            (9.96, "10s"),
            (10, "10s"),
            (59.7, "1m"),
            (60, "1m"),
            (725, "12m 5s"),
        ),
        *((3600, "1h"), (3601, "1h"), (5400, "1h 30m"), (86400, "1d"), (273600, "3d 4h"), (-5400, "-1h 30m")),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0 B"), (812, "812 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB")),
        *((5000 << 50, "5000.0 PiB"), (-2048, "-2.0 KiB")),
    ],
)
def test_a_size_is_said_in_binary_units(count: float, text: str) -> None:
    assert format_size(count) == text


@given(st.integers(1, 40_000_000))
@example(59)
@example(86399)
def test_what_is_said_of_a_duration_can_be_read_again(seconds: int) -> None:
    once = parse_duration(format_duration(timedelta(seconds=seconds)))
    assert parse_duration(format_duration(once)) == once
    assert abs(once.total_seconds() - seconds) <= max(seconds // 20, 3600 if seconds > 86400 else 60)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{0,12}[.]?[0-9]{0,6} ?[BKMGTPiB]{0,4}", fullmatch=True))
def test_any_text_is_a_quantity_or_a_clear_refusal(text: str) -> None:
    for parse in (parse_duration, parse_size):
        try:
            value = parse(text)
        except ValueError as error:
            assert "wanted a" in str(error) or "over 100 years" in str(error)  # noqa: PT017  # either is right
        else:
            assert isinstance(value, int | timedelta)


@pytest.mark.parametrize("text", ["127.0.0.1:10045", "[::1]:10045", "localhost:80", "0.0.0.0:0", "[::]:65535"])
def test_a_listen_address_is_written_as_it_was_read(text: str) -> None:
    assert str(ListenAddress.parse(text)) == text
    assert ListenAddress.parse(text) == ListenAddress.parse(text)
    assert len({ListenAddress.parse(text), ListenAddress.parse(text)}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10045",
        ":10045",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:80",
        "[:::1]:80",
        "[]:80",
        "a b:80",
        "h:\u0661",
        "h:80\n",
    ],
)
def test_anything_else_is_no_listen_address(text: str) -> None:
    with pytest.raises(ValueError, match="wanted an address such as"):
        ListenAddress.parse(text)


def test_a_size_may_be_a_bare_number_of_bytes_and_a_duration_may_not() -> None:
    assert decode_value(Size, 1048576) == Size(1 << 20)
    for kind, value in ((Size, -1), (Size, True), (Size, 1.5), (Duration, 5), (Duration, None), (ListenAddress, 80)):
        with pytest.raises(ValueError, match="wanted a"):
            decode_value(kind, value)
