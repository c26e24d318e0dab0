"""A source's excludes say nothing about another source, and about its own what borg would make of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkp.own_excludes import confined
from bkp.patterns import body_of, excluder

_NAMES = st.text("ab.*?[]!^-\\ (){}$+|~ä\n", min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_PIECES = st.one_of(
    _NAMES, st.sampled_from(["*", "**", "**/", "?", "[ab]", "[!a]", "[^a]", "[]a]", "[a-b]", "/", "//", "./", "../"])
)
_GLOBS = st.tuples(st.sampled_from(["sh:", "fm:", "pp:"]), st.lists(_PIECES, min_size=1, max_size=5).map("".join))
_REGULAR = st.lists(
    st.sampled_from(["a", "b", ".", ".*", "[ab]", "[^/]*", "(a|b)", "$", "/", "^", r"\.", "a+", "(?i:A)", r"(b)\1"]),
    min_size=1,
    max_size=5,
).map("".join)
_FLAGGED = st.tuples(st.sampled_from(["re:", "re:(?i)", "re:(?x) # a (comment\n"]), _REGULAR)


def _compiles(pattern: str) -> bool:
    try:
        excluder([pattern])
    except (ValueError, FutureWarning):
        return False
    return True


_PATTERNS = st.one_of(_GLOBS, _FLAGGED).map("".join).filter(_compiles)


@given(pattern=_PATTERNS, paths=st.lists(_PATHS, min_size=1, max_size=20))
@example(pattern="sh:a/**", paths=["a", "a/b", "ab", "b/a"])
@example(pattern="sh:a[!b]**", paths=["a", "ab", "ac", "a/b"])
@example(pattern="fm:*/a/", paths=["b/a", "b/a/c", "c/b/a/d"])
@example(pattern="pp:/", paths=["a"])
def test_a_pattern_and_its_regular_expression_match_the_same_paths(pattern: str, paths: list[str]) -> None:
    native, compiled = excluder([pattern]), re.compile(f"^(?:{body_of(pattern)})")
    for path in paths:
        assert native(f"/{path}") == (compiled.search(path) is not None), path


def _left_out(excludes: dict[str, list[str]], roots: dict[str, list[str]]) -> set[str]:
    found = excluder([pattern for each in confined(excludes, roots).values() for pattern in each])
    return {path for path in ("/srv/a.iso", "/srv/isos/b.iso", "/srv/isos/own/c.iso", "/srvx/d.iso") if found(path)}


@pytest.mark.parametrize("pattern", ["sh:**/*.iso", "fm:*.iso", r"re:\.iso$", "re:(?i)ISO", "sh:srv*/**"])
def test_a_file_is_left_out_by_the_patterns_of_the_innermost_source_alone(pattern: str) -> None:
    two = {"outer": ["/srv"], "inner": ["/srv/isos"]}
    assert _left_out({"outer": [pattern], "inner": []}, two) == {"/srv/a.iso"}
    assert _left_out({"outer": [], "inner": [pattern]}, two) == {"/srv/isos/b.iso", "/srv/isos/own/c.iso"}
    nested = {"outer": ["/srv", "/srv/isos/own"], "inner": ["/srv/isos"]}
    assert _left_out({"outer": [pattern], "inner": []}, nested) == {"/srv/a.iso", "/srv/isos/own/c.iso"}
    everything = {"all": ["/"], "inner": ["/srv"]}
    assert _left_out({"all": [pattern], "inner": []}, everything) == {"/srvx/d.iso"}


def test_the_patterns_of_the_only_source_stay_as_they_are_written() -> None:
    assert confined({"docs": ["sh:**/*.iso"]}, {"docs": ["/srv"]}) == {"docs": ("sh:**/*.iso",)}


def test_a_source_of_which_nothing_is_archived_leaves_out_nothing() -> None:
    assert confined({"gone": ["sh:**"], "docs": []}, {"gone": [], "docs": ["/srv"]}) == {"gone": (), "docs": ()}
