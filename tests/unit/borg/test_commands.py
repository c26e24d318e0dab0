"""borg's command lines, where they are more than words in a row."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bkp.tools.borg.commands import in_chunks

LIMIT = 1000


def _bytes(paths: list[str]) -> int:
    return sum(len(path.encode("utf-8", "surrogateescape")) + 9 for path in paths)


@given(st.lists(st.text("aä\udcff/", min_size=1, max_size=600), max_size=60))
def test_chunks_hold_every_path_once_in_order_and_none_is_too_large_unless_it_is_one_path(paths: list[str]) -> None:
    chunks = list(in_chunks(paths, LIMIT))
    assert [path for chunk in chunks for path in chunk] == paths
    assert all(chunk and (_bytes(chunk) <= LIMIT or len(chunk) == 1) for chunk in chunks)
    # No chunk could have taken the first path of the next one, too.
    assert all(_bytes([*chunk, after[0]]) > LIMIT for chunk, after in itertools.pairwise(chunks))


def test_no_path_is_no_chunk() -> None:
    assert list(in_chunks([], LIMIT)) == []
