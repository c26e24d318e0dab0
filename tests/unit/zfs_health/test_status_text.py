"""What `zpool status` prints as text, release by release."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.model import PoolHealth, Scan, every_vdev, worst
from tests.support.zpool_written import CLEAN, HC, HEADING, TABLE, WRITTEN, row, status


def read(text: str) -> PoolHealth:
    reading = read_status(text)
    assert reading.problem is None
    assert len(reading.pools) == 1
    return reading.pools[0]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_healthy_pool_leaves_nothing_unknown() -> None:
    pool = read(WRITTEN["clean"])
    assert (pool.name, pool.state, pool.suspended, pool.data_errors, pool.problems) == (
        "cellar",
        "ONLINE",
        False,
        0,
        (),
    )
    assert [vdev.name for vdev in every_vdev(pool)] == ["cellar", "mirror-0", "ata-LEFT_01", "ata-RIGHT_02"]
    assert worst(pool) == "ONLINE"
    assert pool.scrub == Scan(
        state="finished",
        start=at("2026-03-01 04:00:00"),
        end=at("2026-03-01 04:12:30"),
        duration=750,
        errors=0,
        repaired=0,
    )
    assert (pool.resilver.state, pool.error_scrub.state) == ("not told", "not told")


def test_every_device_has_its_place_class_state_and_remark() -> None:
    pool = read(WRITTEN["degraded"])
    found = {(vdev.name, vdev.vdev_class): vdev for vdev in every_vdev(pool)}
    gone = found["987654321987654321", "data"]
    assert (gone.guid, gone.state, gone.was) == (
        "987654321987654321",
        "OFFLINE",
        "/dev/disk/by-id/ata-GONE_09-part1/old",
    )
    assert gone.path is None
    third = found["ata-THIRD_03", "data"]
    assert (third.read, third.write, third.checksum, third.notes) == (7, 130, 0, ("too many errors",))
    assert found["ata-NEW_07", "data"].notes == ("resilvering",)
    assert found["nvme-A", "special"].notes == ("trimming",)
    assert found["nvme-B", "special"].notes == ("block size: 512B configured, 4096B native",)
    assert found["nvme-LOG", "log"].state == "UNAVAIL"
    assert found["ata-DEDUP_10", "dedup"].state == "ONLINE"
    assert found["nvme-CACHE", "cache"].read == 0
    assert found["ata-SPARE_05", "spare"].state == "INUSE"
    assert found["ata-SPARE_05", "data"].state == "ONLINE"
    assert found["ata-SPARE_06", "spare"].read is None
    raidz = pool.vdevs[0].children[0]
    assert [child.name for child in raidz.children] == ["ata-LEFT_01", "spare-1", "ata-THIRD_03"]
    assert [child.name for child in raidz.children[1].children[0].children] == ["987654321987654321", "ata-NEW_07"]
    assert worst(pool) == "FAULTED"
    assert pool.problems == ()


def test_a_faulted_leaf_is_seen_under_an_online_pool() -> None:
    pool = read(WRITTEN["faulted leaf under an online pool"])
    assert (pool.state, worst(pool)) == ("ONLINE", "FAULTED")


@pytest.mark.parametrize("kind", ["suspended and says so", "suspended though online"])
def test_suspension_is_told_by_the_state_or_the_message(kind: str) -> None:
    pool = read(WRITTEN[kind])
    assert (pool.suspended, pool.message_id) == (True, "ZFS-8000-HC")


@pytest.mark.parametrize("message_id", ["ZFS-8000-JQ", "ZFS-8000-MM"])
def test_every_message_of_a_suspended_pool_is_known(message_id: str) -> None:
    assert read(status(above=f"   see: http://zfsonlinux.org/msg/{message_id}\n")).suspended is True


def test_a_broken_message_id_leaves_suspension_unknown() -> None:
    pool = read(status(above="   see: http://zfsonlinux.org/msg/ZFS-8\n"))
    assert (pool.message_id, pool.suspended) == (None, None)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("clean", 0),
        ("suspended and says so", None),
        ("suspended though online", 3),
        ("damaged files", 2),
        ("damaged, nobody knows what", "some"),
        ("two lines of errors", 6),
    ],
)
def test_data_errors_are_a_number_or_some_or_unknown(kind: str, expected: object) -> None:
    assert read(WRITTEN[kind]).data_errors == expected


def test_without_a_line_of_errors_they_are_unknown() -> None:
    pool = read(status(below=""))
    assert pool.data_errors is None
    assert any("data errors" in problem for problem in pool.problems)


def test_errors_that_may_not_be_listed_are_there() -> None:
    assert read(status(below="errors: List of errors unavailable: permission denied\n")).data_errors == "some"


@pytest.mark.parametrize("below", ["errors: 4 data errors, use '-v' for a list\n\n" + CLEAN, CLEAN + "\nerrors: ?\n"])
def test_a_good_line_of_errors_never_hides_another(below: str) -> None:
    assert read(status(below=below)).data_errors in (4, None)


def test_names_of_damaged_files_are_counted_and_not_kept() -> None:
    text = WRITTEN["damaged files"]
    without = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("errors:"))
    for shown in (text, text.replace("errors:", "err?rs:"), text.replace("\nerrors:", ""), without):
        kept = msgspec.json.encode(read_status(shown)).decode()
        assert "aunt" not in kept
        assert "letters" not in kept


def test_a_file_whose_name_looks_like_a_pool_does_not_replace_the_pool() -> None:
    reading = read_status(WRITTEN["damaged files"] + "\n" + WRITTEN["clean"])
    assert [pool.data_errors for pool in reading.pools] == [2]
    assert reading.problem is not None


def test_scaled_counters_are_never_less_than_their_first_digits_say() -> None:
    pool = read(status(table=HEADING + row("cellar", "ONLINE", "1.32K", "12M", "999", depth=0)))
    found = pool.vdevs[0]
    assert (found.read, found.write, found.checksum, found.rounded) == (1351, 12 << 20, 999, True)


def test_slow_requests_have_a_column_of_their_own() -> None:
    table = "\tNAME      STATE     READ WRITE CKSUM  SLOW\n\tcellar    ONLINE       0     0     0     -\n"
    pool = read(status(table=table + "\t  sda     ONLINE       0     0     0    17  too many slow I/Os\n"))
    leaf = pool.vdevs[0].children[0]
    assert (leaf.slow, leaf.notes) == (17, ("too many slow I/Os",))


def test_a_pool_that_is_not_imported_is_told_from_one_that_is() -> None:
    pool = read(
        "   pool: cellar\n     id: 1234567890123456789\n  state: FAULTED\n"
        "status: Devices contain corrupted data.\n action: The pool cannot be imported.\n"
        " config:\n\n\tcellar            FAULTED  corrupted data\n\t  ata-LEFT_01     UNAVAIL  cannot open\n"
    )
    assert (pool.imported, pool.guid, pool.state, worst(pool)) == (False, "1234567890123456789", "FAULTED", "FAULTED")
    assert (pool.data_errors, pool.scrub.state) == (None, "unknown")
    assert pool.vdevs[0].children[0].notes == ("cannot open",)


def test_several_pools_are_read_each_by_itself() -> None:
    second = WRITTEN["suspended though online"].replace("cellar", "attic")
    reading = read_status(WRITTEN["clean"] + "\n" + second)
    assert [(pool.name, pool.suspended) for pool in reading.pools] == [("cellar", False), ("attic", True)]


@pytest.mark.parametrize("place", [0, 1])
def test_a_pool_whose_label_is_garbled_does_not_vanish(place: int) -> None:
    texts = [WRITTEN["clean"], WRITTEN["clean"]]
    texts[place] = WRITTEN["unavailable"].replace("  pool: cellar", "  p?ol: attic")
    reading = read_status("\n".join(texts))
    assert [pool.name for pool in reading.pools] == ["cellar"]
    assert reading.problem or reading.pools[0].problems


def test_the_date_that_zpool_may_print_first_is_no_problem() -> None:
    assert read_status("Sun Mar  1 04:12:30 2026\n" + WRITTEN["clean"]) == read_status(WRITTEN["clean"])


def test_a_state_that_is_told_twice_is_a_problem() -> None:
    assert read(status(above=" state: ONLINE\n")).problems


def test_no_pool_is_an_answer_and_nothing_is_none() -> None:
    assert read_status("no pools available\n") == read_status("no pools available")
    assert read_status("no pools available\n").problem is None
    for text in (
        "",
        "\n",
        "Pool: Keller\nZustand: ONLINE\n",
        "pool 'cellar' is healthy\n",
        "cannot open 'x': no such pool\n",
    ):
        assert read_status(text).problem
        assert read_status(text).pools == ()


def test_a_row_that_cannot_be_read_is_an_unknown_device() -> None:
    pool = read(status(table=TABLE + row("ata-BROKEN_03", "FA?lted")))
    assert worst(pool) == "UNKNOWN"
    assert pool.problems


def test_an_unknown_state_stays_as_printed_and_counts_as_unknown() -> None:
    pool = read(status(table=TABLE.replace("ata-LEFT_01         ONLINE ", "ata-LEFT_01         MAYBE? ")))
    assert pool.vdevs[0].children[0].children[0].state == "MAYBE?"
    assert worst(pool) == "UNKNOWN"


def test_a_table_after_a_garbled_label_is_still_read() -> None:
    pool = read(status(above=HC).replace("config:", "conf?g:"))
    assert len(list(every_vdev(pool))) == 4
    assert pool.problems


def test_a_configuration_that_zfs_cannot_determine_is_a_problem() -> None:
    pool = read("  pool: cellar\n state: UNAVAIL\nconfig: The configuration cannot be determined.\n")
    assert (pool.vdevs, pool.data_errors) == ((), None)
    assert worst(pool) == "UNKNOWN"
    assert pool.problems


@pytest.mark.parametrize("text", WRITTEN.values(), ids=list(WRITTEN))
def test_a_record_survives_being_kept(text: str) -> None:
    pool = read(text)
    assert msgspec.json.decode(msgspec.json.encode(pool), type=PoolHealth) == pool


def test_columns_of_a_script_are_remarks() -> None:
    table = HEADING.replace("CKSUM", "CKSUM  temp") + row("cellar", "FAULTED", note="too many errors  31", depth=0)
    found = read(status(table=table)).vdevs[0]
    assert (found.read, found.notes) == (0, ("too many errors", "31"))


def test_a_number_of_data_errors_that_cannot_be_read_is_some() -> None:
    assert read(status(below="errors: 1?2 data errors, use '-v' for a list\n")).data_errors == "some"


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
@pytest.mark.parametrize(
    ("recording", "state", "gravest", "suspended", "data_errors", "scrub", "resilver"),
    [
        ("online-never-scrubbed", "ONLINE", "ONLINE", False, 0, "never", "never"),
        ("online-scrubbed", "ONLINE", "ONLINE", False, 0, "finished", "not told"),
        ("scrub-in-progress", "ONLINE", "ONLINE", False, 0, "in progress", "not told"),
        ("scrub-paused", "ONLINE", "ONLINE", False, 0, "paused", "not told"),
        ("scrub-repaired", "ONLINE", "ONLINE", False, 0, "finished", "not told"),
        ("degraded-offline", "DEGRADED", "DEGRADED", False, 0, "finished", "not told"),
        ("degraded-removed", "DEGRADED", "REMOVED", False, 0, "not told", "finished"),
        ("resilver-in-progress", "DEGRADED", "REMOVED", False, 0, "not told", "in progress"),
        ("resilvered", "ONLINE", "ONLINE", False, 0, "not told", "finished"),
        ("suspended", "SUSPENDED", "ONLINE", True, None, "finished", "not told"),
    ],
)
def test_every_recorded_pool_is_read_as_it_was(
    release: str,
    recording: str,
    state: str,
    gravest: str,
    suspended: bool,
    data_errors: int | None,
    scrub: str,
    resilver: str,
) -> None:
    path = Path(__file__).resolve().parents[2] / "fixtures" / "zfs" / release / f"{recording}.zpool-status-pv.json"
    pool = read(json.loads(path.read_text("utf-8"))["stdout"])
    assert (pool.state, worst(pool), pool.suspended, pool.data_errors) == (state, gravest, suspended, data_errors)
    assert (pool.scrub.state, pool.resilver.state) == (scrub, resilver)
    assert bool(pool.problems) is (data_errors is None)
    assert len(list(every_vdev(pool))) in {4, 6}
