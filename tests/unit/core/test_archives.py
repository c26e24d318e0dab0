"""Which archives are good ones, and which sources those hold that are not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkp.state.archives import doubt, flaw, is_whole, sources_held
from bkp.state.results import Archive, Root
from tests.unit.core.support import START


def made(*roots: Root, files: int = 3, confirmed: bool = True) -> Archive:
    return Archive(
        name="backup-1",
        id="5f" * 32,
        started_at=START,
        ended_at=START,
        files=files,
        original_bytes=1,
        compressed_bytes=1,
        deduplicated_bytes=1,
        confirmed=confirmed,
        roots=roots,
    )


def root(source: str, *, present: bool = True, path: str | None = None) -> Root:
    return Root(source=source, path=path or f"/srv/{source}", present=present)


WHOLE = made(root("home"), root("etc"))


def test_a_confirmed_archive_with_every_root_and_files_is_good_and_holds_its_sources() -> None:
    assert flaw(WHOLE) is None
    assert is_whole(WHOLE)
    assert sources_held(WHOLE) == {"home", "etc"}


def test_an_archive_that_the_repository_has_not_confirmed_is_not_good_and_holds_nothing_for_sure() -> None:
    killed = msgspec.structs.replace(WHOLE, confirmed=False)
    assert flaw(killed) is None
    assert not is_whole(killed)
    assert sources_held(killed) == frozenset()


def test_what_is_small_or_has_not_got_its_good_name_is_doubted() -> None:
    assert doubt(WHOLE) is None
    assert doubt(msgspec.structs.replace(WHOLE, size_suspicion="it has 3 files")) == "it has 3 files"
    assert doubt(msgspec.structs.replace(WHOLE, name="unproven-backup-1")) == "it was not proven to its end"
    assert doubt(msgspec.structs.replace(WHOLE, confirmed=False)) == "the repository has not confirmed it"


def test_an_archive_without_a_file_is_not_good_though_every_root_was_there() -> None:
    empty = msgspec.structs.replace(WHOLE, files=0)
    assert flaw(empty) == "holds no file at all"
    assert not is_whole(empty)
    assert sources_held(empty) == frozenset()


def test_an_archive_that_lacks_a_source_is_not_good_and_holds_the_others() -> None:
    partial = made(root("home"), root("etc", present=False))
    assert flaw(partial) == "lacks /srv/etc"
    assert not is_whole(partial)
    assert sources_held(partial) == {"home"}


@pytest.mark.parametrize("order", [1, -1])
def test_a_source_of_several_paths_is_held_only_with_all_of_them(order: int) -> None:
    roots = (root("tank", path="/tank/a"), root("tank", path="/tank/b", present=False), root("etc"))
    assert sources_held(made(*roots[::order])) == {"etc"}


@given(
    st.lists(st.builds(root, st.sampled_from("abc"), present=st.booleans()), max_size=5),
    st.integers(0, 2),
    st.booleans(),
)
def test_a_good_archive_holds_every_source_that_it_names(roots: list[Root], files: int, confirmed: bool) -> None:
    archive = made(*roots, files=files, confirmed=confirmed)
    assert sources_held(archive) <= {each.source for each in roots}
    if is_whole(archive):
        assert sources_held(archive) == {each.source for each in roots}
