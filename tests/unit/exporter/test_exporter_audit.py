"""The newest audit on the page and in the metrics: what it found, how old it is, and nothing where it is unreadable."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from auditor.kept import keep_report
from bkp.state.audits import KeptRule
from bkp.verdict import Verdict
from exporter.metrics import audit
from exporter.metrics.audit import MAX_RULES
from exporter.page.audit import audit_row
from tests.support.audit_world import report_on, rule
from tests.support.audits import CLEAN, MIXED, keep
from tests.support.exporter_world import World, healthy

DAY = timedelta(days=1)


def values(world: World) -> dict[tuple[str, tuple[str, ...]], float]:
    return {(metric.name, labels): value for metric, labels, value in audit.SECTION.collect(world.model())}


def row(world: World) -> tuple[str, str]:
    found = audit_row(world.model())
    return found.text, found.tone


@pytest.fixture
def well(world: World) -> World:
    healthy(world)
    return world


def test_a_new_server_has_a_deadline_and_no_verdict(well: World) -> None:
    assert [name for name, _ in values(well)] == ["bkp_audit_deadline_timestamp_seconds"]
    assert row(well) == ("none yet", "")
    well.now += 30 * DAY
    assert row(well) == ("none was kept; one was due", "warn")


def test_an_audit_is_counted_dated_and_coloured(well: World) -> None:
    keep(well.store.root, well.now - DAY, CLEAN)
    assert row(well) == ("1 passed;", "")
    keep(well.store.root, well.now - DAY, MIXED)
    assert row(well) == ("2 failed, 1 could not be judged, 1 not attested, 1 waived, 1 passed;", "bad")
    found = values(well)
    assert found["bkp_audit_clean", ()] == 0
    assert found["bkp_audit_rules", ("fail",)] == 2
    assert found["bkp_audit_rule_verdict", ("KEY-002", "unattested")] == 1
    assert found["bkp_audit_rule_unmet_since_timestamp_seconds", ("KEY-001",)] == (well.now - 31 * DAY).timestamp()
    assert ("bkp_audit_rule_unmet_since_timestamp_seconds", ("ENC-001",)) not in found
    well.now += 60 * DAY
    assert row(well)[0].endswith("1 passed; the next one is late;")


def test_what_the_audit_keeps_is_what_the_exporter_publishes(well: World) -> None:
    report = report_on([rule()], {"borg.repo.main.opens": False}, now=well.now)
    keep_report(well.store.root, msgspec.structs.replace(report, host="vault"), None)
    found = values(well)
    assert found["bkp_audit_judged_timestamp_seconds", ()] == well.now.timestamp()
    assert found["bkp_audit_rule_verdict", ("TST-999", "fail")] == 1
    assert found["bkp_audit_rule_info", ("TST-999", "The passphrase opens the repository", "high")] == 1
    assert found["bkp_audit_rule_counts", ("TST-999",)] == 1


def test_a_report_from_the_future_has_no_deadline(well: World) -> None:
    keep(well.store.root, well.now + DAY, CLEAN)
    assert row(well) == ("1 passed; dated in the future;", "warn")
    assert ("bkp_audit_deadline_timestamp_seconds", ()) not in values(well)


def test_a_report_that_cannot_be_read_takes_all_figures_away_and_is_read_again_once_it_can_be(well: World) -> None:
    path = keep(well.store.root, well.now - DAY, CLEAN)
    reader = well.reader()
    whole = path.read_bytes()
    assert reader.read().survey.audit is reader.read().survey.audit  # not decoded again while nothing changes
    before = reader.fingerprint()
    path.write_bytes(whole[:50])
    assert values(well) == {}
    assert row(well) == ("not known: the newest report cannot be read", "warn")
    kinds = {(each.kind, each.object) for each in well.model().concerns}
    assert ("state_unreadable", f"audit/{path.name}") in kinds
    assert (f"audit/{path.name}", True) in {(file.name, file.problem is not None) for file in well.model().files}
    path.write_bytes(whole)
    assert values(well)
    keep(well.store.root, well.now, MIXED)
    assert reader.fingerprint() != before
    assert reader.read().survey.audit is not None


def test_a_report_with_odd_and_too_many_rules_does_not_take_the_section_down(well: World) -> None:
    def odd(name: str) -> KeptRule:
        return KeptRule(id=name, title="x" * 5000, severity="low", verdict=Verdict.FAIL)

    keep(well.store.root, well.now, (odd("TWICE"), odd("TWICE"), *(odd(f"R-{n}") for n in range(2 * MAX_RULES))))
    found = values(well)
    assert sum(name == "bkp_audit_rule_info" for name, _ in found) == MAX_RULES
    assert found["bkp_audit_rules", ("fail",)] == 2 * MAX_RULES + 2


def test_a_kept_report_that_is_changed_is_noticed_by_an_exporter_that_remembers(well: World) -> None:
    first, _ = keep(well.store.root, well.now - 2 * DAY), keep(well.store.root, well.now - DAY)
    content, reader = first.read_bytes(), well.reader()
    assert reader.read().survey.audit_chain is None
    first.write_bytes(content.replace(b"vault", b"vaulT"))
    assert "is not what it was" in str(reader.read().survey.audit_chain)
    first.write_bytes(content)
    assert reader.read().survey.audit_chain is None
    first.unlink()
    assert reader.read().survey.audit_chain is None
