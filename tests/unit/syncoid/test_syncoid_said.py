"""What syncoid, ssh and zfs say, told apart: what passes, what needs a person, what never will."""

from __future__ import annotations

import pytest

from bkp.errors import StepFailedError
from bkp.tools.syncoid.said import MAX_WARNINGS, ByteCount, busy_snapshot, problem_of, read, really
from bkp.tools.syncoid.source import parse_children, parse_snapshots, parse_wanted

SAID = [
    # exit code, words, cause, cure
    (1, "Cannot sync now: tank/copy is already target of a zfs receive process.", "busy", "passes"),
    (2, "cannot receive incremental stream: dataset is busy\nCRITICAL ERROR: x failed: 256", "busy", "passes"),
    (2, "destination t has been modified\nsince most recent snapshot\nsignal received",
     "modified", "person"),
    (2, "cannot receive incremental stream: most recent snapshot of t does not\nmatch incremental source", "no_common",
     "person"),
    (2, "CRITICAL ERROR: Target t exists but has no snapshots matching with src/data!", "no_common", "person"),
    (2, "cannot receive resume stream: IV set guid missing. See errata 4", "partial", "never"),
    (2, "invalid flags combined with -t\nCRITICAL ERROR: x failed: 512", "partial", "never"),
    (2, 'destination t contains partially-complete state from "zfs receive -s".', "partial", "never"),
    (2, "cannot destroy snapshots: permission denied", "rights", "person"),
    (2, "cannot receive canmount property on t: permission denied", "rights", "person"),
    (2, "bkp ssh-gate: refused: a dataset\nCRITICAL ERROR: ssh connection echo test failed for b@s with exit code 126",
     "gate_refused", "person"),
    (2, "CRITICAL ERROR: ssh connection echo test failed for bkp@src with exit code 255", "away", "passes"),
    (255, "ssh: Could not resolve hostname live: Temporary failure in name resolution", "away", "passes"),
    (255, "ssh: connect to host live port 22: Connection timed out", "away", "passes"),
    (255, "Connection closed by 192.0.2.1 port 22", "cut", "passes"),
    (255, "bkp@live: Permission denied (publickey).", "key_refused", "person"),
    (255, "Host key verification failed.", "host_key", "person"),
    (2, "client_loop: send disconnect: Broken pipe\ncannot receive: failed to read from stream", "cut", "passes"),
    (2, "cannot receive new filesystem stream: out of space", "full", "person"),
    (1, "CRITICAL: no snapshots exist on source src/empty, and you asked for --no-sync-snap.", "no_snapshot", "person"),
    (2, "cannot open 'tank/data': dataset does not exist", "missing", "person"),
    (2, "cannot send: encryption key for tank/data is not loaded", "locked", "person"),
    (1, "something that nobody has ever seen", "unknown", "person"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words", "cause", "cure"), SAID, ids=[words[:40] for _, words, *_ in SAID])
def test_the_words_decide_and_not_the_number(code: int, words: str, cause: str, cure: str) -> None:
    found = read(code, words).problem
    assert found is not None
    assert (found.cause, found.cure) == (cause, cure)
    assert found == problem_of(words)
    assert found.remedy


@pytest.mark.parametrize(
    ("lacking", "ahead", "cause"),
    [
        ((), (), "modified"),
        ((), ("t/a",), "ahead"),
        (("t/a",), ("t/a",), "no_common"),
        (("t/new",), ("t/b",), "modified"),  # of others
    ],
)
def test_what_zfs_calls_modified_may_be_a_replica_that_has_what_the_live_server_has_not(
    lacking: tuple[str, ...], ahead: tuple[str, ...], cause: str
) -> None:
    words = "cannot receive incremental stream: destination t/a has been modified\nsince most recent snapshot"
    problem = read(2, words).problem
    assert problem is not None
    assert really(problem, words, lacking=lacking, ahead=ahead).cause == cause


def test_only_a_server_that_does_not_answer_is_away() -> None:
    away = {cause for code, words, cause, _ in SAID if (found := read(code, words).problem) and found.is_away}
    assert away == {"away"}


def test_warnings_that_0_hides_are_kept_up_to_a_bound_and_what_is_chosen_here_is_none() -> None:
    words = (
        "WARN: mbuffer not available on source ssh:live - sync will continue without source buffering.\n"
        "WARN: pv not available on local machine - sync will continue without progress bar.\n"
        "cannot destroy 'tank/copy@syncoid_live_host_x': dataset is busy\n"
        "WARNING:  zfs destroy 'tank/copy'@x failed: 256 at /usr/sbin/syncoid line 1379.\n"
        "INFO: no snapshots on source newer than x on target. Nothing to do, not syncing.\n"
    )
    said = read(0, words)
    assert said.problem is None
    assert [each[:20] for each in said.warnings] == [
        "WARN: pv not availab",
        "cannot destroy 'tank",
        "WARNING:  zfs destro",
    ]
    many = read(0, "".join(f"WARN: {number}\n" for number in range(MAX_WARNINGS + 7)))
    assert len(many.warnings) == MAX_WARNINGS + 1
    assert many.warnings[-1] == "7 more warnings are in the log"


@pytest.mark.parametrize(
    "busy",
    [
        "cannot destroy snapshot {}: dataset is busy\n",
        "cannot destroy snapshot {0}: it's being held. Run 'zfs holds -r {0}' to see holders.\n",
    ],
    ids=["2.1", "2.3"],
)
def test_a_snapshot_that_a_nightly_run_holds_is_left_to_the_next_pull_without_a_warning(busy: str) -> None:
    ours, other = "tank/two words@syncoid_x_1", "tank/copy@syncoid_x_1"
    failed = "WARNING:   zfs destroy 'tank/two words'@syncoid_x_1{} failed: 256 at /usr/sbin/syncoid line 1380.\n"
    both = failed.format(";  zfs destroy 'tank/copy'@syncoid_x_1")
    assert busy_snapshot(busy.format(ours)) == ours
    assert read(0, busy.format(ours) + failed.format(""), {ours}).warnings == ()
    assert len(read(0, busy.format(ours) + failed.format(""), {other}).warnings) == 2
    assert read(0, busy.format(ours) + busy.format(other) + both, {ours}).warnings == (
        busy.format(other).strip(),
        both.strip(),
    )


def test_the_bytes_of_several_streams_add_up_also_where_the_next_is_larger_from_its_first_line() -> None:
    count = ByteCount()
    taken = [count.line(each) for each in ("1.0 10", "2.0 30", "2.1 30", "0.2 500", "WARN: 1", "17", "0.1 2")]
    assert taken == [True, True, True, True, False, False, True]
    assert count.total == 532


def test_what_the_live_server_answers_is_read_and_anything_else_is_an_error() -> None:
    assert parse_children("tank/data\t-\ntank/data/a b\ttank/data@x\n") == ["tank/data", "tank/data/a b"]
    (found,) = parse_snapshots("t@a b\tguid\t17\t-\nt@a b\tcreation\t1764205261\t-\n")
    assert (found.dataset, found.name, found.guid) == ("t", "a b", "17")
    assert parse_snapshots("") == []
    for odd in (
        "t@a\tguid\t17\t-\n",
        "t@a\tguid\t17\n",
        "Welcome to Debian\n",
        "t@a\tguid\t1\t-\nt@a\tcreation\tx\t-\n",
    ):
        with pytest.raises(StepFailedError, match="the live server answered in another form"):
            parse_snapshots(odd)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("-", True), ("true", True), ("", True), ("false", False), ("here,other", True), ("other", False)],
)
def test_a_dataset_that_syncoid_leaves_out_is_not_missed(value: str, *, expected: bool) -> None:
    assert parse_wanted(f"tank/x\tsyncoid:sync\t{value}\t-\n", "here") is expected
