"""Which snapshot lies over which folder, for every kind of dataset."""

import pytest

from bkp.tools.zfs.replies import Dataset
from runner.sources.base import Omitted, PreparedRoot
from runner.sources.plan import Placement, hidden, plan, swallowed
from runner.sources.unheld import Unheld

TOP = "tank/Secure/backup"


def a_dataset(
    name: str = TOP, mountpoint: str | None = None, *, canmount: str = "on", key_loaded: bool | None = True
) -> Dataset:
    encryption = "off" if key_loaded is None else "aes-256-gcm"
    return Dataset(name, f"/{name}" if mountpoint is None else mountpoint, canmount, encryption, key_loaded)


def mounted(*datasets: Dataset) -> dict[str, tuple[str, ...]]:
    return {each.name: (each.mountpoint,) for each in datasets}


def paths(found: Placement) -> list[str]:
    return [root.path for root in found.roots]


def left(found: Placement) -> dict[str, str]:
    return {each.dataset: each.reason for each in found.left_out}


def test_a_mounted_dataset_is_covered_where_it_is() -> None:
    top = a_dataset()
    assert plan([top], mounted(top)) == Placement((PreparedRoot(f"/{TOP}", TOP, guid=top.guid),), ())


def test_parents_are_covered_before_their_children_whatever_their_names() -> None:
    top, early, deep = a_dataset(), a_dataset(f"{TOP}/a"), a_dataset(f"{TOP}/a/b")
    assert paths(plan([top, deep, early], mounted(top, early, deep))) == [f"/{TOP}", f"/{TOP}/a", f"/{TOP}/a/b"]


def test_a_child_with_a_mount_point_of_its_own_is_covered_there() -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/mail", "/srv")
    found = plan([top, child], mounted(top, child))
    assert paths(found) == ["/srv", f"/{TOP}"]
    assert [root.dataset for root in found.roots] == [f"{TOP}/mail", TOP]


def test_a_child_that_is_mounted_above_its_parent_is_covered_first() -> None:
    top, child = a_dataset(mountpoint="/srv/data/deep"), a_dataset(f"{TOP}/outer", "/srv")
    assert paths(plan([top, child], mounted(top, child))) == ["/srv", "/srv/data/deep"]


def test_canmount_off_is_left_out_without_a_warning() -> None:
    top, child = a_dataset(canmount="off"), a_dataset(f"{TOP}/a")
    found = plan([top, child], mounted(child))
    assert paths(found) == [f"/{TOP}/a"]
    assert found.left_out == (Omitted(TOP, "canmount=off: it has no files of its own to see", warn=False),)


def test_canmount_off_that_is_mounted_all_the_same_is_archived() -> None:
    top = a_dataset(canmount="off")
    assert paths(plan([top], mounted(top))) == [f"/{TOP}"]


@pytest.mark.parametrize("mountpoint", ["legacy", "none", "-"])
def test_a_dataset_without_a_path_is_named_with_a_warning(mountpoint: str) -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/x", mountpoint)
    (out,) = plan([top, child], mounted(top)).left_out
    assert (out.dataset, out.warn) == (f"{TOP}/x", True)
    assert f"mountpoint={mountpoint}" in out.reason
    assert "skip" in out.reason


@pytest.mark.parametrize("mountpoint", ["legacy", "none"])
def test_a_dataset_that_is_mounted_by_hand_is_covered_where_it_is(mountpoint: str) -> None:
    top = a_dataset(mountpoint=mountpoint)
    assert paths(plan([top], {TOP: ("/mnt/here",)})) == ["/mnt/here"]


def test_a_source_without_a_path_names_mount_at_as_the_remedy_and_takes_it() -> None:
    top = a_dataset(mountpoint="legacy")
    assert "set mount_at" in left(plan([top], {}))[TOP]
    assert paths(plan([top], {}, mount_at="/run/bkp/data")) == ["/run/bkp/data"]


def test_an_unmounted_dataset_is_archived_under_the_path_it_would_have() -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/a", canmount="noauto")
    assert paths(plan([top, child], mounted(top))) == [f"/{TOP}", f"/{TOP}/a"]


def test_a_dataset_that_is_mounted_elsewhere_is_covered_there() -> None:
    top = a_dataset()
    assert paths(plan([top], {TOP: ("/mnt/rescue",)})) == ["/mnt/rescue"]


def test_of_two_mounts_of_a_dataset_its_own_mount_point_counts() -> None:
    top = a_dataset()
    assert paths(plan([top], {TOP: ("/srv/bind", f"/{TOP}")})) == [f"/{TOP}"]


@pytest.mark.parametrize("key_loaded", [True, None])
def test_a_dataset_that_is_open_or_not_encrypted_has_no_problem(key_loaded: bool | None) -> None:
    top = a_dataset(key_loaded=key_loaded)
    assert plan([top], mounted(top)).roots[0].problem is None


def test_a_locked_dataset_is_a_root_that_is_missing() -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/locked", key_loaded=False)
    found = plan([top, child], mounted(top))
    assert paths(found) == [f"/{TOP}", f"/{TOP}/locked"]
    assert found.roots[1].problem == f"is locked: the key of {TOP}/locked is not loaded"


def test_locked_datasets_without_a_path_are_each_missing_under_their_names() -> None:
    datasets = [a_dataset(f"{TOP}/{each}", "legacy", key_loaded=False) for each in "ab"]
    found = plan([a_dataset(), *datasets], mounted(a_dataset()))
    assert sorted(root.path for root in found.roots if root.problem) == [f"{TOP}/a", f"{TOP}/b"]


def test_skipped_datasets_are_left_out_with_all_below_and_without_a_warning() -> None:
    names = (TOP, f"{TOP}/tmp", f"{TOP}/tmp/deep", f"{TOP}/tmpfoo")
    datasets = [a_dataset(each) for each in names]
    found = plan(datasets, mounted(*datasets), skip=[f"{TOP}/tmp"])
    assert paths(found) == [f"/{TOP}", f"/{TOP}/tmpfoo"]
    assert found.left_out == tuple(
        Omitted(each, "skipped by the configuration", warn=False) for each in (f"{TOP}/tmp", f"{TOP}/tmp/deep")
    )


def test_a_locked_dataset_that_is_skipped_is_no_problem() -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/locked", key_loaded=False)
    assert paths(plan([top, child], mounted(top), skip=[child.name])) == [f"/{TOP}"]


@pytest.mark.parametrize("odd", ["ta\tb", "new\nline"])
def test_a_path_that_no_message_could_name_is_left_out_with_a_warning_and_shown_escaped(odd: str) -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/x", f"/srv/{odd}")
    found = plan([top, child], mounted(top, child))
    assert paths(found) == [f"/{TOP}"]
    (out,) = found.left_out
    assert (out.dataset, out.warn) == (child.name, True)
    assert repr(f"/srv/{odd}") in out.reason
    assert paths(plan([child], mounted(child), mount_at="/run/bkp/x")) == ["/run/bkp/x"]


def test_what_the_snapshot_does_not_hold_is_left_out_whatever_else_it_is() -> None:
    names = [f"{TOP}/{each}" for each in ("locked", "disk", "off")]
    kinds = [
        a_dataset(names[0], key_loaded=False),
        a_dataset(names[1], "-", canmount="-"),
        a_dataset(names[2], canmount="off"),
    ]
    top, without = a_dataset(), {each: Unheld("it is still being received") for each in names}
    found = plan([top, *kinds], mounted(top), unheld=without)
    assert paths(found) == [f"/{TOP}"]
    assert left(found) == dict.fromkeys(names, "it is still being received")
    skipped = plan([top, *kinds], mounted(top), skip=names, unheld=without)
    assert set(left(skipped).values()) == {"skipped by the configuration"}


def test_one_whose_snapshot_was_taken_away_is_a_root_that_is_missing_where_it_would_be_archived() -> None:
    top, child, off = a_dataset(), a_dataset(f"{TOP}/a"), a_dataset(f"{TOP}/off", canmount="off")
    without = {each.name: Unheld("has no snapshot", lost=True) for each in (child, off)}
    found = plan([top, child, off], mounted(top, child), unheld=without)
    assert found.roots[1] == PreparedRoot(f"/{TOP}/a", child.name, "has no snapshot")
    assert list(left(found)) == [off.name]


def test_of_two_datasets_with_one_path_the_one_that_people_see_is_archived_and_the_other_named() -> None:
    top, upper, lower = a_dataset(), a_dataset(f"{TOP}/a", "/srv/x"), a_dataset(f"{TOP}/b", "/srv/x")
    found = plan([top, upper, lower], mounted(top, lower, upper))  # upper was mounted last
    assert [root.dataset for root in found.roots] == [f"{TOP}/a", TOP]
    (out,) = found.left_out
    assert (out.dataset, out.warn) == (f"{TOP}/b", True)
    assert f"{TOP}/a is mounted at /srv/x, too, and hides it" in out.reason


def test_an_unmounted_dataset_never_hides_a_mounted_one() -> None:
    top, spare = a_dataset(), a_dataset(f"{TOP}/z-old", f"/{TOP}", canmount="noauto")
    found = plan([top, spare], mounted(top))
    assert [root.dataset for root in found.roots] == [TOP]
    assert list(left(found)) == [f"{TOP}/z-old"]


@pytest.mark.parametrize("name", ["my data", "Büro", "日本", "a#b", "-dash", "a.b:c_d"])
def test_names_of_any_kind_are_taken_as_they_are(name: str) -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/{name}")
    assert paths(plan([top, child], mounted(top, child))) == [f"/{TOP}", f"/{TOP}/{name}"]


def test_at_a_fixed_path_children_keep_their_place_below_the_parent() -> None:
    top, child = a_dataset(mountpoint="/srv/data"), a_dataset(f"{TOP}/with space", "/srv/data/a/with space")
    found = plan([top, child], mounted(top, child), mount_at="/run/bkp/data")
    assert paths(found) == ["/run/bkp/data", "/run/bkp/data/a/with space"]


def test_at_a_fixed_path_a_child_from_elsewhere_has_no_place_and_is_named() -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/mail", "/srv/mail")
    found = plan([top, child], mounted(top, child), mount_at="/run/bkp/data")
    assert paths(found) == ["/run/bkp/data"]
    (out,) = found.left_out
    assert out.warn
    assert "/srv/mail does not lie below" in out.reason
    assert "source of its own" in out.reason


def test_a_path_that_only_begins_like_the_parents_is_not_below_it() -> None:
    top, child = a_dataset(mountpoint="/srv/data"), a_dataset(f"{TOP}/x", "/srv/data2")
    assert paths(plan([top, child], mounted(top, child), mount_at="/run/x")) == ["/run/x"]


def test_a_fixed_path_is_taken_however_it_is_written() -> None:
    top, child = a_dataset(), a_dataset(f"{TOP}/a")
    assert paths(plan([top, child], mounted(top, child), mount_at="/run//bkp/d/")) == ["/run/bkp/d", "/run/bkp/d/a"]


def test_a_volume_is_named_with_a_warning_and_may_be_skipped() -> None:
    top, volume = a_dataset(), a_dataset(f"{TOP}/disk", "-", canmount="-")
    (out,) = plan([top, volume], mounted(top)).left_out
    assert (out.dataset, out.warn) == (volume.name, True)
    assert "is a volume" in out.reason
    (out,) = plan([top, volume], mounted(top), skip=[volume.name]).left_out
    assert not out.warn


@pytest.mark.parametrize("mountpoint", [f"/{TOP}", "none"])
def test_a_source_without_anything_to_archive_is_a_root_that_is_missing(mountpoint: str) -> None:
    top = a_dataset(mountpoint=mountpoint, canmount="off")
    (root,) = plan([top], {}).roots
    assert root.path == root.dataset == TOP
    assert (
        root.problem == f"holds nothing that can be archived ({TOP}: canmount=off: it has no files of its own to see)"
    )


def test_nothing_to_plan_is_an_empty_plan() -> None:
    assert plan([], {}) == Placement((), ())


@pytest.mark.parametrize("what", ["repository", "borg cache", "state folder", "log folder", "lock folder"])
def test_what_the_run_needs_must_not_lie_below_a_covered_mount_point(what: str) -> None:
    roots = (PreparedRoot("/tank/Secure", "tank/Secure"),)
    reason = hidden(roots, {"other": "/var/lib/other", what: "/tank/Secure/inside"})
    assert reason == (
        f"the {what} (/tank/Secure/inside) lies below /tank/Secure, which the snapshot of tank/Secure would cover"
    )


def test_the_mount_point_itself_is_below_itself() -> None:
    assert hidden((PreparedRoot("/data", "tank/data"),), {"repository": "/data"})


def test_a_root_that_is_not_mounted_covers_nothing() -> None:
    assert hidden((PreparedRoot("/data", "tank/data", "is locked"),), {"repository": "/data/repo"}) is None


def test_beside_the_mount_point_nothing_is_hidden() -> None:
    assert hidden((PreparedRoot("/data", "tank/data"),), {"repository": "/database", "state": "/var/lib/bkp"}) is None


def test_a_link_that_leads_below_the_mount_point_is_followed(tmp_path_factory: pytest.TempPathFactory) -> None:
    data, elsewhere = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("elsewhere")
    (data / "state").mkdir()
    (elsewhere / "link").symlink_to(data / "state")
    (elsewhere / "mountpoint").symlink_to(data)
    roots = (PreparedRoot(str(data), "tank/data"),)
    assert hidden(roots, {"state folder": str(elsewhere / "link" / "bkp")})
    assert hidden((PreparedRoot(str(elsewhere / "mountpoint"), "tank/data"),), {"state folder": str(data / "state")})
    assert hidden(roots, {"state folder": str(elsewhere / "plain")}) is None


FIXED = (PreparedRoot("/run/bkp/s", "tank/S"), PreparedRoot("/run/bkp/s/Borg", "tank/S/Borg"))
LIVE = {"tank/S": ("/tank/S",), "tank/S/Borg": ("/tank/S/Borg",)}


def test_a_repository_would_be_archived_into_itself_where_its_dataset_is_mounted_elsewhere() -> None:
    assert swallowed(FIXED, LIVE, "tank/S/Borg", "/tank/S/Borg/repo", ()) == "/run/bkp/s/Borg/repo"
    assert swallowed(FIXED, LIVE, "tank/S", "/tank/S/repo", ()) == "/run/bkp/s/repo"


def test_a_repository_that_is_excluded_or_skipped_or_elsewhere_is_not() -> None:
    assert swallowed(FIXED, LIVE, "tank/S", "/tank/S/repo", ("pp:/run/bkp/s/repo",)) is None
    assert swallowed(FIXED[:1], LIVE, "tank/S/Borg", "/tank/S/Borg/repo", ()) is None
    assert swallowed(FIXED, LIVE, "tank/other", "/tank/other/repo", ()) is None
    assert swallowed(FIXED, LIVE, None, "/srv/repo", ()) is None
