"""What `zpool status` prints as text, release by release."""

from datetime import UTC, datetime

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


def scrub(*lines: str) -> PoolHealth:
    return read(status(above="  scan: " + "".join(f"{line}\n" for line in lines)))


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


def test_a_running_resilver_is_no_scrub() -> None:
    pool = read(WRITTEN["degraded"])
    assert pool.scrub.state == "not told"
    assert pool.resilver == Scan(
        state="in progress",
        start=at("2026-03-02 05:00:00"),
        repaired=300 << 30,
        scanned=3 << 39,
        issued=1 << 40,
        total=4 << 40,
        progress=0.25,
        time_left=20971,
        rounded=True,
    )


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
    for shown in (text, text.replace("errors:", "err?rs:"), text.replace("\nerrors:", "")):
        kept = msgspec.json.encode(read_status(shown)).decode()
        assert "aunt" not in kept
        assert "letters" not in kept


def test_a_file_whose_name_looks_like_a_pool_does_not_replace_the_pool() -> None:
    reading = read_status(WRITTEN["damaged files"] + "\n" + WRITTEN["clean"])
    assert [pool.data_errors for pool in reading.pools] == [2]
    assert reading.problem is not None


@pytest.mark.parametrize(
    ("lines", "state", "progress"),
    [
        (["scrub canceled on Sun Mar  1 04:12:30 2026"], "canceled", None),
        (["thorough scrub canceled on Sun Mar  1 04:12:30 2026"], "canceled", None),
        (["scrub stopped after 0h5m with 0 errors on Sun Mar  1 04:12:30 2026"], "canceled", None),
        (["scrub completed after 3h5m with 0 errors on Sun Mar  1 04:12:30 2026"], "finished", None),
        (["scrub in progress for 0h1m, 5.2% done, 0h20m to go"], "in progress", 0.052),
        (["scrub in progress since Sun Mar  1 04:12:30 2026", "\t0B repaired, 7.50% done"], "in progress", 0.075),
        (["scrub in progress since Sun Mar  1 04:12:30 2026", "    4,5T scanned out of 9,0T at 9M/s, 3h47m to go",
          "    0 repaired, 50,01% done"], "in progress", 0.5001),
        (["scrub repaired 0B in 01:0"], "finished", None),
        (["scrub of a kind that nobody knows"], "unknown", None),
    ],
)  # fmt: skip
def test_scrubs_of_all_releases_are_told_apart(lines: list[str], state: str, progress: float | None) -> None:
    pool = scrub(*lines)
    assert (pool.scrub.state, pool.scrub.progress) == (state, progress)
    assert pool.resilver.state == "not told"


def test_a_paused_scrub_keeps_its_start_and_its_pause() -> None:
    found = scrub(
        "scrub paused since Sun Mar  1 05:00:00 2026",
        "\tscrub started on Sun Mar  1 04:00:00 2026",
        "\t18.9M scanned, 19.1M issued, 35.6M total",
        "\t0B repaired, 53.54% done",
    ).scrub
    assert (found.state, found.start, found.paused_at) == (
        "paused",
        at("2026-03-01 04:00:00"),
        at("2026-03-01 05:00:00"),
    )
    assert (found.issued, found.end, found.time_left, found.rounded) == (20027801, None, None, True)


def test_old_durations_without_seconds_give_no_exact_start() -> None:
    found = scrub("scrub repaired 0 in 266h29m with 0 errors on Sun Mar  1 04:12:30 2026").scrub
    assert (found.duration, found.start, found.repaired) == (959340, None, 0)


@pytest.mark.parametrize("label", ["  scan", " scrub"])
@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("error scrub in progress since Sun Mar  1 04:00:00 2026\n\t80.00% done", "in progress"),
        ("error scrub paused since Sun Mar  1 05:00:00 2026\n\terror scrub started on Sun", "paused"),
        ("error scrub canceled on Sun Mar  1 05:00:00 2026", "canceled"),
        ("scrubbed 4 error blocks in 0 days 00:00:42 on Sun Mar  1 05:00:00 2026", "finished"),
    ],
)  # fmt: skip
def test_an_error_scrub_is_no_scrub(label: str, said: str, state: str) -> None:
    pool = read(status(above=f"{label}: {said}\n"))
    assert (pool.scrub.state, pool.error_scrub.state) == ("not told", state)


def test_scrub_and_sequential_resilver_are_both_kept() -> None:
    pool = read(
        status(
            above=(
                "  scan: scrub repaired 2K in 00:00:01 with 1 errors on Sun Mar  1 04:00:02 2026\n"
                "  scan: resilvered (draid1:2d:5c:1s-0) 5.5M in 00:00:10 with 0 errors on Sun Mar  1 04:00:01 2026\n"
            )
        )
    )
    assert (pool.scrub.state, pool.scrub.errors, pool.scrub.repaired) == ("finished", 1, 2048)
    assert (pool.resilver.state, pool.resilver.vdev, pool.resilver.errors) == ("finished", "draid1:2d:5c:1s-0", 0)


@pytest.mark.parametrize("above", ["", " scrub: none requested\n", "  scan: none requested\n"])
def test_a_pool_without_any_scan_was_never_scrubbed(above: str) -> None:
    assert read(status(above=above)).scrub.state == "never"


def test_a_time_in_another_language_or_zone_is_unknown() -> None:
    for said in ("So 1. Mär 04:12:30 2026", "Sun Mar  1 04:12:30 CET 2026", "Sun Mar 31 24:12:30 2026"):
        assert scrub(f"scrub repaired 0B in 00:12:30 with 0 errors on {said}").scrub.end is None


def test_scaled_counters_are_never_less_than_their_first_digits_say() -> None:
    pool = read(status(table=HEADING + row("cellar", "ONLINE", "1.32K", "12M", "999", depth=0)))
    found = pool.vdevs[0]
    assert (found.read, found.write, found.checksum, found.rounded) == (1351, 12 << 20, 999, True)


def test_slow_requests_have_a_column_of_their_own() -> None:
    table = "\tNAME      STATE     READ WRITE CKSUM  SLOW\n\tcellar    ONLINE       0     0     0     -\n"
    pool = read(status(table=table + "\t  sda     ONLINE       0     0     0    17  too many slow I/Os\n"))
    leaf = pool.vdevs[0].children[0]
    assert (leaf.slow, leaf.notes) == (17, ("too many slow I/Os",))


def test_removal_expansion_and_checkpoint_are_read() -> None:
    pool = read(
        status(
            above=(
                "remove: Evacuation of mirror-1 in progress since Sun Mar  1 04:00:00 2026\n"
                "\t1G copied out of 4G at 10M/s, 25.00% done, 0h5m to go\n"
                "checkpoint: created Sun Mar  1 03:00:00 2026, consumes 2.5M\n"
                "expand: expansion of raidz1-0 in progress since Sun Mar  1 04:00:00 2026\n"
                "\t1G / 2G copied at 10M/s, 50.00% done, paused for resilver or clear\n"
            )
        )
    )
    assert pool.removal is not None
    assert (pool.removal.state, pool.removal.vdev, pool.removal.progress) == ("in progress", "mirror-1", 0.25)
    assert pool.checkpoint is not None
    assert (pool.checkpoint.state, pool.checkpoint.size) == ("exists", 2621440)
    assert pool.expansion is not None
    assert (pool.expansion.state, pool.expansion.copied, pool.expansion.total) == ("paused", 1 << 30, 2 << 30)
    assert pool.problems == ()


def test_ended_removal_and_expansion_are_read() -> None:
    pool = read(
        status(
            above=(
                "remove: Removal of vdev 1 copied 1G in 0h2m, completed on Sun Mar  1 04:00:00 2026\n"
                "\t312 memory used for removed device mappings\n"
                "checkpoint: discarding, 2.5M remaining.\n"
                "expand: expanded raidz1-0 copied 2G in 00:01:02, on Sun Mar  1 05:00:00 2026\n"
            )
        )
    )
    assert pool.removal is not None
    assert (pool.removal.state, pool.removal.end, pool.removal.copied) == (
        "finished",
        at("2026-03-01 04:00:00"),
        1 << 30,
    )
    assert pool.checkpoint is not None
    assert pool.checkpoint.state == "discarding"
    assert pool.expansion is not None
    assert (pool.expansion.state, pool.expansion.vdev) == ("finished", "raidz1-0")


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
