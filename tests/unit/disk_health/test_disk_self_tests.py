"""Self-tests in smartctl's JSON: what runs, how each ended, how long ago, and what no log means."""

from __future__ import annotations

import pytest

from bkp.disk_health.model import SelfTestKind, SelfTestResult
from bkp.disk_health.selftests import ata_done
from tests.support.smartctl_outputs import ata, ata_test, disk, nvme, reading, scsi, written


def test_a_running_self_test_stands_first_with_its_progress() -> None:
    status = {"status": {"value": 0xF7, "string": "in progress, 70% remaining", "remaining_percent": 70}}
    tests = reading(ata(ata_smart_data={"self_test": status})).self_tests
    assert tests is not None
    assert (tests[0].result, tests[0].percent_done, tests[0].kind) == (
        SelfTestResult.IN_PROGRESS,
        30,
        SelfTestKind.UNKNOWN,
    )
    assert (tests[1].result, tests[1].age_hours) == (SelfTestResult.PASSED, 21)


def test_a_failed_test_that_the_disk_did_not_log_is_its_newest() -> None:
    status = {"status": {"value": 0x79, "string": "completed with read failure"}}
    tests = reading(ata(ata_smart_data={"self_test": status})).self_tests
    assert tests is not None
    assert [test.result for test in tests] == [SelfTestResult.FAILED, SelfTestResult.PASSED]


@pytest.mark.parametrize("words", ["", "Completed without error", "Completed: failed segments"])
def test_a_test_that_failed_by_its_code_or_by_its_words_failed(words: str) -> None:
    ended = {"value": 7, "string": words}
    log = {"table": [{"self_test_code": {"value": 1, "string": "Short"}, "self_test_result": ended}]}
    sas = {"code": {"value": 1, "string": "Background short"}, "result": ended}
    for document in (nvme(nvme_self_test_log=log), scsi(scsi_self_test_0=sas)):
        tests = reading(document).self_tests
        assert tests is not None
        assert tests[0].result is SelfTestResult.FAILED


def test_an_nvme_self_test_tells_what_is_done_and_its_log_has_holes() -> None:
    entry = {
        "self_test_code": {"value": 1, "string": "Short"},
        "self_test_result": {"value": 2, "string": "Aborted: Controller Reset"},
        "power_on_hours": 3400,
    }
    running = {"value": 2, "string": "Extended self-test in progress"}
    log = {
        "current_self_test_operation": running,
        "current_self_test_completion_percent": 73,
        "table": [None, entry],
    }
    tests = reading(nvme(nvme_self_test_log=log)).self_tests
    assert tests is not None
    assert [(test.kind, test.result) for test in tests] == [
        (SelfTestKind.LONG, SelfTestResult.IN_PROGRESS),
        (SelfTestKind.SHORT, SelfTestResult.INTERRUPTED),
    ]
    assert (tests[0].percent_done, tests[1].age_hours) == (73, 57)


def test_a_scsi_self_test_that_runs_is_one_entry() -> None:
    document = scsi(
        scsi_self_test_status={"in_progress": True, "completion_percent": 27},
        scsi_self_test_0={
            "code": {"value": 2, "string": "Background long"},
            "result": {"value": 15, "string": "Self test in progress ..."},
            "self_test_in_progress": True,
        },
        scsi_self_test_1={
            "code": {"value": 1, "string": "Background short"},
            "result": {"value": 0, "string": "Completed"},
            "power_on_time": {"hours": 15900},
        },
    )
    tests = reading(document).self_tests
    assert tests is not None
    assert [(test.kind, test.result, test.percent_done, test.age_hours) for test in tests] == [
        (SelfTestKind.LONG, SelfTestResult.IN_PROGRESS, 27, None),
        (SelfTestKind.SHORT, SelfTestResult.PASSED, None, 104),
    ]


@pytest.mark.parametrize(
    ("status", "words", "result"),
    [
        (0x00, "Completed without error", SelfTestResult.PASSED),
        (0x19, "Aborted by host", SelfTestResult.ABORTED),
        (0x26, "Interrupted (host reset)", SelfTestResult.INTERRUPTED),
        (0x30, "Fatal or unknown error", SelfTestResult.FAILED),
        (0x77, "Completed: read failure", SelfTestResult.FAILED),
        (0x80, "Completed: handling damage??", SelfTestResult.FAILED),
        (0xF9, "Self-test routine in progress", SelfTestResult.IN_PROGRESS),
        (0x90, "Unknown status (0x9)", SelfTestResult.UNKNOWN),
        (0x77, "Completed without error", SelfTestResult.FAILED),
        (0x19, "Completed without error", SelfTestResult.UNKNOWN),
        (0x00, "Completed", SelfTestResult.UNKNOWN),
    ],
)
def test_a_self_test_ended_as_number_and_words_agree(status: int, words: str, result: SelfTestResult) -> None:
    log = {"standard": {"table": [ata_test(status, words, 44000, lba=5839201144)]}}
    tests = reading(ata(ata_smart_self_test_log=log)).self_tests
    assert tests is not None
    assert tests[0].result is result
    assert tests[0].first_bad_lba == (5839201144 if result is SelfTestResult.FAILED else None)


def test_without_a_log_a_failed_test_is_still_known() -> None:
    data = {"self_test": {"status": {"value": 0x70, "string": "completed with a read failure"}}}
    tests = reading(ata(ata_smart_self_test_log=None, ata_smart_data=data)).self_tests
    assert tests is not None
    assert tests[0].result is SelfTestResult.FAILED


def test_no_log_is_not_an_empty_log() -> None:
    assert reading(ata(ata_smart_self_test_log=None)).self_tests is None
    assert reading(ata(ata_smart_self_test_log={"standard": {"count": 0}})).self_tests == ()
    assert reading(nvme()).self_tests is None
    assert reading(scsi()).self_tests is None


@pytest.mark.parametrize("garbled", [{"table": "x"}, {"table": None}, "x"])
def test_an_nvme_log_that_cannot_be_read_is_not_an_empty_one(garbled: object) -> None:
    assert reading(nvme(nvme_self_test_log=garbled)).self_tests is None
    idle = {"current_self_test_operation": {"value": 0, "string": "No self-test in progress"}}
    assert reading(nvme(nvme_self_test_log=idle)).self_tests == ()


@pytest.mark.parametrize(
    ("hours", "at", "age"), [(70000, 4000, 464), (66000, 65000, 1000), (1, 4660, None), (900, 900, 0)]
)
def test_the_hour_of_an_ata_self_test_begins_again_after_65535(hours: int, at: int, age: int | None) -> None:
    log = {"standard": {"table": [ata_test(0, "Completed without error", at)]}}
    tests = reading(ata(power_on_time={"hours": hours}, ata_smart_self_test_log=log)).self_tests
    assert tests is not None
    assert tests[0].age_hours == age


@pytest.mark.parametrize(("status", "done"), [(0xF0, 100), (0xF9, 10), (0xFA, 0), (0xFB, None), (0x09, None)])
def test_progress_is_what_the_remaining_tenths_leave(status: int, done: int | None) -> None:
    assert ata_done(status) == done


def test_text_and_json_of_one_disk_are_read_alike() -> None:
    def entry(kind: int, words: str, result: int, said: str, hours: int, **more: int) -> dict[str, object]:
        code, ended = {"value": kind, "string": words}, {"value": result, "string": said}
        return {"self_test_code": code, "self_test_result": ended, "power_on_hours": hours, **more}

    document = nvme(
        log={
            "critical_warning": 5,
            "temperature": 57,
            "available_spare": 4,
            "percentage_used": 131,
            "power_cycles": 1997,
            "power_on_hours": 25809,
            "unsafe_shutdowns": 67,
            "media_errors": 1204,
            "num_err_log_entries": 12356,
        },
        temperature={"current": 57},
        firmware_version="GX7",
        smart_status={"passed": False, "nvme": {"value": 5}},
        nvme_self_test_log={
            "current_self_test_operation": {"value": 2, "string": "Extended self-test in progress"},
            "current_self_test_completion_percent": 28,
            "table": [
                entry(2, "Extended", 7, "Completed: failed segments", 25790, lba=90112233, segment=2),
                entry(1, "Short", 2, "Aborted: Controller Reset", 25700),
                entry(1, "Short", 1, "Aborted: Self-test command", 25650),
                entry(2, "Extended", 0, "Completed without error", 25000),
            ],
        },
    )
    by_json, by_text = reading(document), disk(written("nvme-failing.txt"))
    assert by_json.values == by_text.values
    assert by_json.self_tests == by_text.self_tests
    assert by_json.identity == by_text.identity
    assert (by_json.health, by_json.critical_warnings) == (by_text.health, by_text.critical_warnings)
