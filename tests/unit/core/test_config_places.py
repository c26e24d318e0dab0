"""Where things lie, by their names: repositories as borg reads them, and what an archive of a tree would hold."""

import pytest

from bkp.config.places import archived, is_below, misunderstood, place_of


@pytest.mark.parametrize(
    ("path", "folder", "below"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/ab", "/a", False),
        ("/a/../b", "/a", False),
        ("/anything", "/", True),
        ("/a", "/a/b", False),
    ],
)
def test_below_is_judged_by_whole_names(path: str, folder: str, below: bool) -> None:
    assert is_below(path, folder) is below


@pytest.mark.parametrize(
    "ways",
    [
        ("/a/r", "/a/r/", "/a/../a/r", "/a/./r", "//a//r"),
        ("ssh://u@h/a/r", "ssh://u@h/a/../a/r", "u@h:/a/r", "u@h:/a/r/"),
        ("ssh://u@h/./r", "u@h:r", "u@h:./r", "u@h:x/../r", "ssh://u@h/./x/../r"),
        ("ssh://h:22/r", "ssh://h:22/r/"),
        ("ssh://h/~u/r", "h:~u/r", "h:/~u/r"),
        ("ssh://[::1]/r", "[::1]:/r"),
    ],
    ids=lambda ways: ways[0],
)
def test_one_place_is_the_same_however_it_is_written(ways: tuple[str, ...]) -> None:
    assert len({place_of(way) for way in ways}) == 1


def test_different_places_stay_different() -> None:
    paths = ["/a/r", "/a/R", "/r", "h:r", "h:/r", "u@h:r", "v@h:r", "ssh://h:22/r", "ssh://h:23/r", "h:~/r", "h:~u/r"]
    assert len({place_of(path) for path in paths}) == len(paths)


@pytest.mark.parametrize(
    "path", ["/", "/a/r", "/a:b/r", "/a b", "ssh://u@h/r", "ssh://h:22/./r", "ssh://[::1]:22/r", "h:r", "u@h.x-y:/r"]
)
def test_what_borg_understands_is_taken(path: str) -> None:
    assert misunderstood(path) is None


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("/srv/{hostname}", "write out"),
        ("/srv/a}b", "write out"),
        ("ssh://u@h/{now}", "write out"),
        ("/srv/a::b", "rename"),
        ("/srv/a:", "rename"),
        ("h::r", "rename"),
        ("file:///srv/r", "write /srv/r"),
        ("//srv/r", "write /srv/r"),
        ("sftp://u@h/r", "ssh://USER@HOST"),
        ("ssh://u@h", "ssh://USER@HOST"),
        ("ssh://h:port/r", "ssh://USER@HOST"),
    ],
)
def test_what_borg_would_take_for_something_else_is_named_with_a_remedy(path: str, remedy: str) -> None:
    found = misunderstood(path)
    assert found is not None
    assert remedy in found[1]


@pytest.mark.parametrize(
    ("exclude", "held"),
    [
        ((), True),
        (("pp:/srv/other", "sh:/srv/*.log"), True),
        (("pp:/srv/bkp/state",), False),
        (("pp:/srv/bkp",), False),
        (("sh:/srv/**/state",), False),
        (("fm:*/bkp",), False),
        (("re:/state$",), False),
        (("sh:/srv/bkp/state/*.json",), True),
    ],
)
def test_an_archive_holds_what_lies_below_its_root_unless_a_pattern_leaves_it_out(
    exclude: tuple[str, ...], held: bool
) -> None:
    assert archived("/srv/bkp/state", "/srv", exclude) is held
    assert archived("/srv/bkp/../bkp/state/", "/srv/", exclude) is held
    assert not archived("/srv2/state", "/srv", exclude)


def test_the_root_itself_is_held() -> None:
    assert archived("/srv", "/srv", ())
    assert archived("/anything", "/", ())
