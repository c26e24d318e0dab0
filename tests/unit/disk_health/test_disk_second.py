"""Two readings of one disk: what counts as a disagreement, and what as not known."""

from __future__ import annotations

import msgspec
import pytest

from bkp.disk_health.model import Attribute, DiskHealth, PowerState, Protocol
from bkp.disk_health.second import (
    MAX_DISAGREEMENTS,
    SecondAttribute,
    SecondReading,
    SecondTest,
    disagreements,
)
from tests.support.smartctl_outputs import ata, ata_test, attribute, reading

ROW = SecondAttribute(
    id=5, name="Reallocated_Sector_Ct", value="100", worst="100", threshold="010", failed="-", raw="0 (1 2)"
)
TEST = SecondTest(kind="Extended offline", status="Completed without error", hours="44300")
SECOND = SecondReading(assessment="PASS", serial="NWTEST0001", attributes=(ROW,), tests=(TEST,))


def _differ(first: DiskHealth, second: SecondReading) -> list[str]:
    return [found.what for found in disagreements(first, second)]


def test_two_readings_of_a_healthy_disk_agree() -> None:
    assert _differ(reading(ata()), SECOND) == []


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (msgspec.structs.replace(SECOND, assessment="FAIL"), "assessment"),
        (msgspec.structs.replace(SECOND, assessment="WARN"), "assessment"),
        (msgspec.structs.replace(SECOND, serial="NWTEST0009"), "serial"),
        (msgspec.structs.replace(SECOND, attributes=(msgspec.structs.replace(ROW, raw="1"),)), "attribute 5"),
        (msgspec.structs.replace(SECOND, attributes=(msgspec.structs.replace(ROW, value="99"),)), "attribute 5"),
        (msgspec.structs.replace(SECOND, attributes=(msgspec.structs.replace(ROW, worst="1"),)), "attribute 5"),
        (msgspec.structs.replace(SECOND, attributes=(msgspec.structs.replace(ROW, threshold="---"),)), "attribute 5"),
        (
            msgspec.structs.replace(SECOND, attributes=(msgspec.structs.replace(ROW, failed="FAILING_NOW"),)),
            "attribute 5",
        ),
        (msgspec.structs.replace(SECOND, attributes=(ROW, msgspec.structs.replace(ROW, id=9))), "attribute 9"),
        (msgspec.structs.replace(SECOND, tests=()), "self-tests"),
        (
            msgspec.structs.replace(SECOND, tests=(msgspec.structs.replace(TEST, hours="44400"),)),
            "self-test at 44400 h",
        ),
        (
            msgspec.structs.replace(SECOND, tests=(msgspec.structs.replace(TEST, status="Completed: read failure"),)),
            "self-test at 44300 h",
        ),
    ],
)
def test_each_thing_that_differs_is_named(second: SecondReading, what: str) -> None:
    assert _differ(reading(ata()), second) == [what]


@pytest.mark.parametrize(
    "second",
    [
        SecondReading(error="pySMART read nothing", assessment="FAIL"),
        msgspec.structs.replace(SECOND, assessment=None, serial=None, attributes=()),
        msgspec.structs.replace(SECOND, model="bridge9"),
        msgspec.structs.replace(SECOND, tests=(TEST, msgspec.structs.replace(TEST, hours="12"))),
    ],
)
def test_what_the_second_does_not_know_is_no_disagreement(second: SecondReading) -> None:
    assert _differ(reading(ata()), second) == []


def test_what_the_first_does_not_know_is_no_disagreement() -> None:
    first = reading(ata(smart_status=None, serial_number=None, ata_smart_attributes=None, ata_smart_self_test_log=None))
    assert _differ(first, SECOND) == []


def test_a_sleeping_disk_is_not_compared() -> None:
    assert _differ(DiskHealth(power=PowerState.ASLEEP, passed=False), SECOND) == []


def test_a_running_test_is_not_compared() -> None:
    log = {
        "standard": {"table": [ata_test(0xF9, "Self-test routine in progress", 44301), ata_test(0, TEST.status, 44300)]}
    }
    running = msgspec.structs.replace(TEST, status="Self-test routine in progress", hours="44301")
    assert (
        _differ(reading(ata(ata_smart_self_test_log=log)), msgspec.structs.replace(SECOND, tests=(running, TEST))) == []
    )


def test_pysmart_counts_every_attribute_where_smartctl_counts_prefail_ones() -> None:
    failing = reading(ata(ata_smart_attributes={"table": [attribute(1, "X", raw="0", when_failed="now")]}))
    failed = reading(ata(ata_smart_attributes={"table": [attribute(1, "X", raw="0", when_failed="past")]}))
    assert _differ(failing, msgspec.structs.replace(SECOND, assessment="FAIL", attributes=())) == []
    assert _differ(failed, msgspec.structs.replace(SECOND, assessment="WARN", attributes=())) == []


def test_a_counter_that_counts_on_between_two_readings_is_no_disagreement() -> None:
    written = attribute(241, "Total_LBAs_Written", raw="1000000")
    first = reading(ata(ata_smart_attributes={"table": [written]}))
    told = first.attributes[0] if first.attributes else None
    assert told is not None
    second = SecondAttribute(
        id=241, name=told.name, value=str(told.value), worst=str(told.worst), threshold=str(told.threshold), failed="-",
        raw="1000016",
    )  # fmt: skip
    assert not [what for what in _differ(first, SecondReading(attributes=(second,))) if "241" in what]


def test_disagreements_have_a_limit() -> None:
    first = DiskHealth(
        protocol=Protocol.ATA, attributes=tuple(Attribute(id=number, name="X") for number in range(1, 200))
    )
    assert len(disagreements(first, SECOND)) == MAX_DISAGREEMENTS
