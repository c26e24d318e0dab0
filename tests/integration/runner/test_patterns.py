"""Excludes: the sample is drawn from exactly the files that the real borg archives."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bkp.patterns import excluder
from runner.sample import SampleDrawer, Tree
from tests.support.loaded import loaded
from tests.support.repositories import make_repository
from tests.support.runner_world import borg_environment

_CHARACTERS = "ab.*?[]!^-\\ (){}$+|~ä"
NAMES = st.text(_CHARACTERS, min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
_PIECES = st.one_of(
    NAMES,
    st.sampled_from(["*", "**", "**/", "?", "[ab]", "[!a]", "[^a]", "[]a]", "[a-b]", "/", "//", "./", "../", "["]),
)
GLOBS = st.lists(_PIECES, min_size=1, max_size=5).map("".join)
_REGULAR = st.one_of(
    NAMES.map(re.escape), st.sampled_from([".", ".*", "[ab]", "[^/]*", "(a|b)", "$", "/", "^", r"\.", "a+"])
)


def _compiles(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, FutureWarning):  # the suite makes errors of warnings
        return False
    return True


REGULARS = st.lists(_REGULAR, min_size=1, max_size=4).map("".join).filter(_compiles)


PATTERNS = st.one_of(st.tuples(st.sampled_from(["sh", "fm", "pp"]), GLOBS), st.tuples(st.just("re"), REGULARS))
CELLS = st.lists(st.tuples(st.lists(PATHS, min_size=1, max_size=8), PATTERNS), min_size=20, max_size=40)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patterns")
    make_repository(folder / "repo", borg_environment(folder / "base"))
    return folder


def _write(tree: Path, paths: list[str]) -> None:
    for path in paths:
        target = tree / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.write_text("x")
        except (FileExistsError, NotADirectoryError):  # a file of that name is where a folder would have to be
            continue


def _dry_run(site: Path, tree: Path, patterns: list[str]) -> subprocess.CompletedProcess[str]:
    excludes = [word for pattern in patterns for word in ("--exclude", pattern)]
    return subprocess.run(
        [loaded("borg"), "create", "--dry-run", "--list", "--log-json", *excludes, f"{site}/repo::x", str(tree)],
        env=borg_environment(site / "base"),
        capture_output=True,
        text=True,
    )


def _is_pattern(site: Path, pattern: str) -> bool:
    """Return whether we take the pattern; what we refuse borg must refuse as well."""
    try:
        excluder([pattern])
    except ValueError:
        assert _dry_run(site, site / "repo", [pattern]).returncode != 0, pattern
        return False
    return True


def _archived(site: Path, tree: Path, patterns: list[str]) -> set[str]:
    """Return the regular files that borg would archive."""
    done = _dry_run(site, tree, patterns)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    taken = {Path(each["path"]) for each in said if each["type"] == "file_status" and each["status"] == "-"}
    return {str(path) for path in taken if path.is_file()}


def _walked(tree: Path, patterns: list[str]) -> set[str]:
    drawer = SampleDrawer([Tree(str(tree), tuple(patterns), one_file_system=True)], files=10_000, total_bytes=1 << 30)
    return set(drawer._files())


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells=CELLS)
def test_the_walk_finds_exactly_what_borg_archives(site: Path, cells: list[tuple[list[str], tuple[str, str]]]) -> None:
    # Each pattern has a folder of its own, so that one call of borg judges many of them.
    tree = site / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    patterns = []
    for number, (paths, (style, text)) in enumerate(cells):
        folder = tree / f"cell{number:02}"
        _write(folder, paths)
        scope = str(folder) if style != "re" else f"cell{number:02}"
        patterns.append(f"{style}:{scope}/{text}")
    patterns = [each for each in patterns if _is_pattern(site, each)]
    assert _walked(tree, patterns) == _archived(site, tree, patterns)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(paths=st.lists(PATHS, min_size=5, max_size=40), pattern=PATTERNS)
def test_a_pattern_for_the_whole_tree_means_what_borg_makes_of_it(
    site: Path, paths: list[str], pattern: tuple[str, str]
) -> None:
    tree = site / "whole"
    shutil.rmtree(tree, ignore_errors=True)
    _write(tree, paths)
    style, text = pattern
    found = [f"{style}:{text}"] if style == "re" else [f"{style}:**/{text}" if style == "sh" else f"{style}:*{text}"]
    if _is_pattern(site, *found):
        assert _walked(tree, found) == _archived(site, tree, found)


@pytest.mark.parametrize("pattern", ["sh:[b-a]", "sh:[?-.]", "re:(", "re:a{4294967296}"])
def test_what_is_no_pattern_to_us_is_none_to_borg(site: Path, pattern: str) -> None:
    assert not _is_pattern(site, pattern)


def test_patterns_as_people_write_them(site: Path) -> None:
    tree = site / "people"
    shutil.rmtree(tree, ignore_errors=True)
    _write(
        tree,
        [
            "home/ann/.cache/x",
            "home/ann/.cache/deep/y",
            "home/ann/notes.txt",
            "home/ann/notes.tmp",
            "home/bob/.cache",
            "var/lib/db/a.wal",
            "var/lib/db/b",
            "node_modules/m/index.js",
            "work/node_modules/m/index.js",
            "work/node_modules.txt",
            "a[1].txt",
            "ä/ö.txt",
        ],
    )
    for patterns in (
        ["sh:**/.cache"],
        [f"sh:{tree}/home/*/.cache"],
        [f"sh:{tree}/home/*/.cache/"],
        [f"sh:{tree}/home/**/*.tmp"],
        ["sh:**/node_modules/"],
        ["fm:*/node_modules/*"],
        ["fm:*.tmp"],
        [f"pp:{tree}/var/lib/db"],
        [f"pp:{tree}/var/lib/db/"],
        [f"pp:{tree}//var/./lib/../lib/db"],
        [r"re:\.(tmp|wal)$"],
        ["re:/node_modules$"],
        [f"sh:{tree}/a[[]1].txt", "sh:**/ö.txt"],
    ):
        assert _walked(tree, patterns) == _archived(site, tree, patterns), patterns
        assert _walked(tree, patterns) < _walked(tree, []), f"{patterns} left nothing out"
