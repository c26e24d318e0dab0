"""Probes run side by side within one limit; one that hangs keeps nothing back and is an error."""

import threading

import pytest

from auditor.facts.builder import FactBuilder
from auditor.facts.side_by_side import Probe, gather
from tests.support.audit_world import NOW


def late(builder: FactBuilder, reason: str) -> None:
    builder.of("host").fail("test", reason)


def test_probes_wait_for_each_other_and_so_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=30)

    def ask(field: str) -> Probe:
        def work(builder: FactBuilder) -> None:
            both.wait()
            builder.of("host").add("test", {field: "x"})

        return Probe(work, late)

    builder = FactBuilder(NOW)
    gather(builder, [ask("name"), ask("kernel")], limit=30)
    assert list(builder.facts) == ["host.name", "host.kernel"]


def test_what_is_not_answered_in_time_is_an_error_and_the_rest_is_there() -> None:
    never = threading.Event()

    def hang(builder: FactBuilder) -> None:
        builder.of("host").add("test", {"name": "answered"})
        never.wait(60)
        builder.of("host").add("test", {"kernel": "too late"})

    builder = FactBuilder(NOW)
    quick = Probe(lambda own: own.of("config").add("test", {"sources": ("a",)}), late)
    gather(builder, [Probe(hang, late), quick], limit=0.2)
    never.set()
    assert builder.facts["host.name"].value == "answered"
    assert builder.facts["host.kernel"].error == "no answer within 0.2 s"
    assert builder.facts["config.sources"].value == ("a",)


def test_a_defect_of_a_probe_is_not_swallowed() -> None:
    def broken(_builder: FactBuilder) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gather(FactBuilder(NOW), [Probe(broken, late)], limit=30)
