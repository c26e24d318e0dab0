"""Which file systems below a source are in no archive, and which of them are nothing to speak of."""

from __future__ import annotations

import pytest

from runner.sources.nested import LiveTree, lacking, mounted_in, unarchived

ROOT = "1 0 8:1 / / rw - ext4 /dev/sda1 rw"
DATA = "2 1 0:40 / /tank/data rw - zfs tank/data rw"


def below(*lines: str, tree: LiveTree | None = None, exclude: str = "") -> list[str]:
    tree = tree or LiveTree("/tank/data", "tank/data")
    table = "\n".join((ROOT, DATA, *lines))
    return [mount.point for mount, _ in unarchived(table, [tree], ["tank/data"], [exclude] if exclude else [])]


def test_another_file_system_below_a_source_is_named() -> None:
    assert below("3 2 8:17 / /tank/data/media rw - ext4 /dev/sdb1 rw") == ["/tank/data/media"]
    assert below("3 2 0:41 / /tank/data/my\\040media rw - zfs tank/media rw") == ["/tank/data/my media"]
    assert below("3 1 8:17 / /home/disk rw - ext4 /dev/sdb1 rw", tree=LiveTree("/home")) == ["/home/disk"]


def test_beside_the_source_nothing_is_named() -> None:
    assert below("3 1 8:17 / /tank/database rw - ext4 /dev/sdb1 rw") == []


def test_what_a_source_says_of_its_own_datasets_is_not_said_again() -> None:
    assert below("3 2 0:41 / /tank/data/tmp rw - zfs tank/data/tmp rw") == []
    assert below("3 2 0:41 / /tank/data/tmp rw - zfs tank/database rw") == ["/tank/data/tmp"]


def test_what_is_excluded_is_known() -> None:
    line = "3 2 8:17 / /tank/data/a/media rw - ext4 /dev/sdb1 rw"
    assert below(line, exclude="pp:/tank/data/a/media") == []
    assert below(line, exclude="pp:/tank/data/a") == []
    assert below(line, exclude="pp:/tank/data/b") == ["/tank/data/a/media"]


def test_at_a_fixed_path_the_exclude_is_that_of_the_archive() -> None:
    line, tree = "3 2 8:17 / /tank/data/media rw - ext4 /dev/sdb1 rw", LiveTree("/run/bkp/d", "tank/data")
    assert below(line, tree=tree) == ["/tank/data/media"]
    assert below(line, tree=tree, exclude="pp:/run/bkp/d/media") == []


@pytest.mark.parametrize(
    "line",
    [
        "3 2 0:50 / /tank/data/run rw - tmpfs tmpfs rw",
        "3 2 0:51 / /tank/data/docker/merged rw - overlay overlay rw",
        "3 2 0:40 /a /tank/data/b rw - zfs tank/data rw",  # its own files, seen twice
        "3 2 0:60 / /tank/data/.zfs/snapshot/daily rw - zfs tank/data@daily ro",
        "not a mount",
    ],
)
def test_what_no_restore_would_want_is_not_named(line: str) -> None:
    assert below(line) == []


def test_a_root_of_another_source_is_archived_already() -> None:
    table = f"{ROOT}\n{DATA}\n3 2 0:41 / /tank/data/media rw - zfs tank/media rw"
    trees = [LiveTree("/tank/data", "tank/data"), LiveTree("/tank/data/media", "tank/media")]
    assert unarchived(table, trees, ["tank/data", "tank/media"], []) == []


_FSTAB = """# /srv/comment ext4 defaults 0 0
UUID=1 / ext4 defaults 0 1
UUID=2 /srv/data ext4 defaults 0 2
UUID=3 /srv/data/my\\040photos ext4 defaults,nofail 0 2
UUID=4 /srv/data/film/ ext4 nofail 0 2
UUID=5 /srv/data/stick ext4 noauto 0 0
nas:/x /srv/data/nas nfs x-systemd.automount 0 0
UUID=6 none swap sw 0 0
UUID=7 /srv/database ext4 defaults 0 2
"""


def test_what_is_to_be_mounted_below_a_source_and_is_not_is_named() -> None:
    def mounted(*points: str) -> str:
        return "".join(f"1 2 0:{number} / {point} rw - ext4 /dev/x rw\n" for number, point in enumerate(points))

    photos, film = ("/srv/data/my photos", "/srv/data"), ("/srv/data/film", "/srv/data")
    assert lacking(_FSTAB, mounted("/", "/srv/data"), ["/srv/data"], ()) == [photos, film]
    assert lacking(_FSTAB, mounted("/", "/srv/data", "/srv/data/film"), ["/srv/data"], ()) == [photos]
    assert lacking(_FSTAB, mounted("/"), ["/srv/data"], ["pp:/srv/data/film"]) == [photos]
    assert lacking("", mounted("/"), ["/srv/data"], ()) == []


_TABLE = """1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 8:2 / /mnt/disk rw - ext4 /dev/sda2 rw
3 2 8:3 / /mnt/disk/docs/photos rw - ext4 /dev/sda3 rw
4 2 8:2 /x /mnt/disk/docs/bound rw - ext4 /dev/sda2 rw
5 2 0:50 / /mnt/disk/docs/scratch rw - tmpfs tmpfs rw
6 2 0:51 / /mnt/disk/docs/old/.zfs/snapshot/a rw - zfs tank/old@a rw
7 2 0:52 / /mnt/disk/docs/homes rw - autofs systemd-1 rw
8 7 0:53 / /mnt/disk/docs/homes/ann rw - nfs nas:/ann rw
9 7 0:54 / /mnt/disk/docs/homes rw - nfs nas:/ rw
"""


def test_what_an_archive_holds_of_other_file_systems_is_known_by_where_the_source_has_it() -> None:
    def found(tree: str, real: str, *exclude: str, across: bool = True) -> tuple[str, ...]:
        return mounted_in(_TABLE, tree, real, exclude, across=across)

    assert found("/srv/docs", "/mnt/disk/docs") == ("/srv/docs/homes", "/srv/docs/photos")
    assert found("/srv/docs", "/mnt/disk/docs", "pp:/srv/docs/photos") == ("/srv/docs/homes",)
    assert found("/mnt/disk/docs", "/mnt/disk/docs", across=False) == ()
    assert found("/mnt/disk", "/mnt/disk", across=False) == ("/mnt/disk",)
    assert found("/mnt/disk", "/mnt/disk")[:2] == ("/mnt/disk", "/mnt/disk/docs/homes")
