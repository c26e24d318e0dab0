"""What zfs and the kernel print, as typed facts."""

import json
from pathlib import Path

import pytest

from bkp.errors import StepFailedError
from bkp.tools.zfs import commands
from bkp.tools.zfs.replies import (
    Dataset,
    ErrorCounts,
    Mark,
    PoolSpace,
    Property,
    dataset_on_device,
    parse_datasets,
    parse_error_counts,
    parse_marks,
    parse_mount_points,
    parse_mounts,
    parse_names,
    parse_pool,
    parse_properties,
)

LISTED = (
    "tank/Secure/backup\ton\tavailable\taes-256-gcm\t81\t0\t-\n"
    "tank/Secure/backup/lo cked\tnoauto\tunavailable\taes-256-gcm\t82\t0\t-\n"
    "tank/plain\toff\t-\toff\t83\t0\t1-af4179be3-b8-789c\n"
    "tank/arriving\ton\t-\toff\t84\t1\t1-9d602655a-b8-789c\n"
)
POINTS = {
    "tank/Secure/backup": "/tank/Secure/backup",
    "tank/Secure/backup/lo cked": "legacy",
    "tank/plain": "none",
    "tank/arriving": "/tank/arriving",
}


def test_datasets_are_read_column_by_column() -> None:
    assert parse_datasets(LISTED, POINTS) == [
        Dataset("tank/Secure/backup", "/tank/Secure/backup", "on", "aes-256-gcm", key_loaded=True, guid="81"),
        Dataset("tank/Secure/backup/lo cked", "legacy", "noauto", "aes-256-gcm", key_loaded=False, guid="82"),
        Dataset("tank/plain", "none", "off", "off", key_loaded=None, guid="83", resumable=True),
        Dataset(
            "tank/arriving", "/tank/arriving", "on", "off", key_loaded=None, guid="84", receiving=True, resumable=True
        ),
    ]
    assert parse_names(LISTED) == list(POINTS)


def test_a_dataset_without_a_mount_point_in_the_second_list_is_gone() -> None:
    assert [each.name for each in parse_datasets(LISTED, {"tank/plain": "none"})] == ["tank/plain"]


@pytest.mark.parametrize("path", ["/tank/a", "/tank/a\x85b\u2028c\x0b\rd", "/tank/ta\tb", "none", ""])
def test_a_mount_point_may_hold_anything_but_a_line_feed(path: str) -> None:
    assert parse_mount_points(f"tank/a\t{path}\ntank/b\t/b\n", ["tank/a", "tank/b"]) == {
        "tank/a": path,
        "tank/b": "/b",
    }


@pytest.mark.parametrize(
    "path", ["/tank/new\nline", "/tank/a\n", "/tank/a\ntank/b\t/elsewhere"], ids=["broken", "at the end", "forged"]
)
def test_a_mount_point_with_a_line_feed_is_never_taken_for_another_dataset(path: str) -> None:
    assert parse_mount_points(f"tank/a\t{path}\ntank/b\t/b\n", ["tank/a", "tank/b"]) is None


def test_no_output_is_no_dataset() -> None:
    assert parse_datasets("", {}) == []
    assert parse_mount_points("", []) == {}
    assert parse_marks("") == []


@pytest.mark.parametrize("text", ["tank\n", "NAME  MOUNTPOINT\n", "a\tb\tc\td\te\tf\n", f"{LISTED}\n", "\x00"])
def test_another_form_than_asked_for_is_a_typed_error_that_shows_the_line(text: str) -> None:
    with pytest.raises(StepFailedError, match="another form than asked for") as caught:
        parse_datasets(text, {})
    assert caught.value.remedy
    with pytest.raises(StepFailedError, match="zfs get printed"):
        parse_marks(text)


def test_marks_are_read_with_their_source() -> None:
    text = (
        "tank/a@x\tbkp:run\t20261123T023000Z-0a1b2c3d\tlocal\ntank/a@y\tbkp:run\t-\t-\ntank/a@z\tbkp:run\t\treceived\n"
    )
    assert parse_marks(text) == [
        Mark("tank/a@x", "bkp:run", "20261123T023000Z-0a1b2c3d", "local"),
        Mark("tank/a@y", "bkp:run", "-", "-"),
        Mark("tank/a@z", "bkp:run", "", "received"),
    ]


MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
90 27 0:50 / /tank rw,noatime shared:40 - zfs tank rw,xattr,noacl
91 90 0:51 / /tank/Secure/my\040data rw,noatime shared:41 master:7 - zfs tank/Secure/my\040data rw
92 90 0:51 / /srv/bind rw,noatime shared:41 - zfs tank/Secure/my\040data rw
93 90 0:52 /repo /tank/repo rw - zfs tank/Borg rw
94 90 0:53 / /a\134040b\043c rw - zfs tank/odd rw
95 91 0:54 / /tank/Secure/my\040data ro - zfs tank/Secure/my\040data@bkp-1 ro
96 27 0:55 / /mnt rw - ext4 /dev/zfs rw
torn line - zfs
"""


def test_mounts_of_datasets_are_found_in_order_with_their_escapes_undone() -> None:
    assert parse_mounts(MOUNTINFO) == {
        "tank": ("/tank",),
        "tank/Secure/my data": ("/tank/Secure/my data", "/srv/bind"),
        "tank/odd": (r"/a\040b#c",),
        "tank/Secure/my data@bkp-1": ("/tank/Secure/my data",),
    }


@pytest.mark.parametrize(
    ("device", "dataset"),
    [
        ("0:51", "tank/Secure/my data"),
        ("0:52", "tank/Borg"),  # a folder of it, bound elsewhere, is still on it
        ("0:53", "tank/odd"),
        ("0:54", "tank/Secure/my data@bkp-1"),
        ("0:55", None),
        ("0:5", None),
        ("8:1", None),
    ],
)
def test_a_device_is_that_of_a_dataset_or_of_none(device: str, dataset: str | None) -> None:
    assert dataset_on_device(MOUNTINFO, device) == dataset


def test_this_kernels_own_table_can_be_read() -> None:
    assert isinstance(parse_mounts(Path("/proc/self/mountinfo").read_text()), dict)


def test_no_command_line_can_destroy_a_dataset() -> None:
    with pytest.raises(ValueError, match="destroy the dataset"):
        commands.destroy_snapshot("tank/Secure/backup", "")


def test_every_command_line_finds_its_program_by_an_absolute_path() -> None:
    lines = (
        commands.list_datasets("tank"),
        commands.snapshot("tank", "s", {"bkp:run": "1"}),
        commands.hold("tank", "s", "s"),
        commands.release("tank", "s", "s"),
        commands.destroy_snapshot("tank", "s"),
        commands.snapshot_marks("tank", ("bkp:run",)),
        commands.mount_snapshot("tank", "s", "/tank"),
        commands.list_all_datasets(),
        commands.list_mount_points("tank"),
        commands.list_all_mount_points(),
        commands.mount_point("tank"),
        commands.list_snapshots("tank"),
        commands.properties(("atime",), ("tank",)),
        commands.list_pool("tank"),
        commands.pool_status("tank"),
    )
    located = [commands.Programs().located(line)[0] for line in lines]
    assert set(located) == {"/usr/sbin/zfs", "/usr/sbin/zpool", "/usr/bin/mount"}
    assert commands.Programs(zfs="/opt/zfs").located(lines[0])[0] == "/opt/zfs"


def test_properties_are_asked_of_named_datasets_only() -> None:
    with pytest.raises(ValueError, match="every pool"):
        commands.properties(("atime",), ())


def test_properties_keep_their_source_and_say_its_kind() -> None:
    text = (
        "tank/a\tatime\toff\tlocal\n"
        "tank/a\tcompression\tzstd\tinherited from tank/in put\n"
        "tank/a\trecordsize\t131072\tdefault\n"
        "tank/a\tencryption\taes-256-gcm\t-\n"
        "tank/a\tkeylocation\tprompt\treceived\n"
    )
    found = parse_properties(text)
    assert found[1] == Property("tank/a", "compression", "zstd", "inherited from tank/in put")
    assert [each.origin for each in found] == ["local", "inherited", "default", "none", "received"]


def test_a_pool_is_read_in_bytes_and_percent() -> None:
    assert parse_pool("tank\t3985729650688\t1992864825344\t50\tONLINE\toff\n") == PoolSpace(
        "tank", 3985729650688, 1992864825344, 50, "ONLINE", readonly=False
    )


def test_a_pool_that_cannot_be_opened_says_nothing_and_not_zero() -> None:
    assert parse_pool("tank\t-\t-\t-\tUNAVAIL\t-\n") == PoolSpace("tank", None, None, None, "UNAVAIL", readonly=None)


@pytest.mark.parametrize("text", ["", "tank\tONLINE\n", "tank\t1\t1\t1\tONLINE\toff\n" * 2])
def test_another_answer_than_one_pool_is_a_typed_error(text: str) -> None:
    with pytest.raises(StepFailedError, match="zpool list printed"):
        parse_pool(text)


STATUS = """\
  pool: tank
 state: DEGRADED
status: One or more devices has experienced an unrecoverable error.  An
\tattempt was made to correct the error.  Applications are unaffected.
action: Determine if the device needs to be replaced, and clear the errors
\tusing 'zpool clear' or replace the device with 'zpool replace'.
  scan: scrub repaired 512K in 00:00:03 with 0 errors on Sun Nov 22 03:00:03 2026
config:

\tNAME                     STATE     READ WRITE CKSUM
\ttank                     DEGRADED     0     0     0
\t  mirror-0               DEGRADED     0     1     0
\t    wwn-0x5000c500a1     ONLINE       0     0 12345
\t    /srv/disk 1.img      FAULTED      7     3     0  too many errors
\t    11223344556677       REMOVED      0     0     0  was /dev/sdc1
\tspares
\t  wwn-0x5000c500a3       AVAIL

errors: No known data errors
"""


def test_the_most_errors_of_any_device_are_counted() -> None:
    assert parse_error_counts(STATUS) == ErrorCounts(read=7, write=3, checksum=12345, data=0)


@pytest.mark.parametrize(
    ("said", "data"),
    [
        ("errors: 1 data errors, use '-v' for a list", 1),
        ("errors: 27 data errors, use '-v' for a list", 27),
        ("errors: List of errors unavailable: pool I/O is currently suspended", None),
        ("", None),
    ],
)
def test_damaged_files_are_counted_and_what_is_not_said_is_not_zero(said: str, data: int | None) -> None:
    text = STATUS.replace("errors: No known data errors", said)
    assert parse_error_counts(text).data == data


@pytest.mark.parametrize("text", ["", "no pools available\n", "  pool: tank\n state: ONLINE\n"])
def test_a_status_without_devices_is_a_typed_error(text: str) -> None:
    with pytest.raises(StepFailedError, match="shows no device"):
        parse_error_counts(text)


RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "zfs"
STATUSES = sorted(RECORDED.glob("*/*.zpool-status*.json"))


def _recorded(path: Path) -> str:
    stdout: str = json.loads(path.read_text("utf-8"))["stdout"]
    return stdout


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        ("online-scrubbed", ErrorCounts(0, 0, 0, 0)),
        ("scrub-in-progress", ErrorCounts(0, 0, 0, 0)),
        ("scrub-repaired", ErrorCounts(0, 0, 4, 0)),
        ("degraded-removed", ErrorCounts(0, 0, 0, 0)),
        ("resilver-in-progress", ErrorCounts(0, 0, 0, 0)),
        ("data-errors", ErrorCounts(0, 0, 2, 1)),
        ("suspended", ErrorCounts(0, 32, 2, 9)),
    ],
)
def test_real_pools_from_health_to_ruin_are_counted(state: str, counts: ErrorCounts) -> None:
    assert parse_error_counts(_recorded(RECORDED / "bookworm" / f"{state}.zpool-status.json")) == counts


@pytest.mark.parametrize(
    "path", [path for path in STATUSES if not path.stem.endswith("-j")], ids=lambda path: path.stem
)
def test_every_recorded_status_shows_its_devices(path: Path) -> None:
    counts = parse_error_counts(_recorded(path))
    broken = path.stem.startswith(("scrub-repaired", "data-errors", "suspended"))
    assert (max(counts.read, counts.write, counts.checksum) > 0) is broken


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*/*.zfs-get-Hp-all.json")), ids=lambda path: path.stem)
def test_recorded_properties_are_read_with_their_sources(path: Path) -> None:
    found = {each.name: each for each in parse_properties(_recorded(path)) if each.dataset == "tank/Secure/Borg"}
    assert (found["recordsize"].value, found["recordsize"].origin) == ("1048576", "local")
    assert (found["encryptionroot"].value, found["encryptionroot"].origin) == ("tank/Secure", "none")
    assert found["keystatus"].value == ("unavailable" if path.stem.startswith("locked") else "available")
