"""The newest audit: is it there, what is not met, and since when."""

from __future__ import annotations

from dashboards.source.boards.shared import SERVER_KEY, bad, escrow
from dashboards.source.dashboard import Dashboard, Mark, line, section
from dashboards.source.looks import (
    CLEAN,
    CRITICAL,
    INFO,
    LATE,
    NONE_BETTER,
    NONE_WANTED,
    PLAIN_COUNT,
    TEXT,
    WARNING,
    WHEN,
    YES_NO,
    Look,
    states_of,
)
from dashboards.source.panels import graph, stat, timeline
from dashboards.source.query import SERVER, least, milliseconds, newest, state_of
from dashboards.source.table import Column, Key, table

RULE = f"{SERVER}, rule"
RULE_SEVERITY = Look(
    TEXT,
    names=(
        ("critical", "critical", CRITICAL),
        ("high", "high", WARNING),
        ("medium", "medium", WARNING),
        ("low", "low", INFO),
        ("info", "info", INFO),
    ),
)


def _with(verdict: str) -> str:
    return newest("bkp_audit_rules", SERVER, f"verdict='{verdict}'")


IS_LATE = f"time() > bool {newest('bkp_audit_deadline_timestamp_seconds')}"

GLANCE = line(
    4,
    stat(
        "Oldest audit",
        least(milliseconds(newest("bkp_audit_judged_timestamp_seconds")), newest("bkp_exporter_build_info")),
        WHEN,
        "When the newest kept audit was judged; of several servers the oldest of them. Not known where one has none.",
        missing="none kept, or not known",
    ),
    bad("Late", f"sum({IS_LATE})", NONE_WANTED, "Servers whose audit was due, and was not made or not kept."),
    bad(
        "Not clean",
        f"count({newest('bkp_audit_clean')}) - sum({newest('bkp_audit_clean')})",
        NONE_WANTED,
        "Servers whose newest audit was not clean.",
    ),
    bad("Failed", f"sum({_with('fail')})", NONE_WANTED, "Rules that failed, waived ones among them."),
    bad("Not judged", f"sum({_with('error')})", NONE_WANTED, "Rules that could not be judged. That is no pass."),
    bad(
        "Not attested",
        f"sum({_with('unattested')})",
        NONE_BETTER,
        "Rules of what no program can see, that nobody vouches for now.",
    ),
)

SERVERS = table(
    "Audits",
    "The newest kept audit of each server.",
    (SERVER_KEY,),
    Column("Judged", milliseconds(newest("bkp_audit_judged_timestamp_seconds")), WHEN),
    Column("Next is due", milliseconds(newest("bkp_audit_deadline_timestamp_seconds")), WHEN),
    Column("In time", IS_LATE, LATE),
    Column("Result", newest("bkp_audit_clean"), CLEAN),
    Column("Failed", _with("fail"), NONE_WANTED),
    Column("Not judged", _with("error"), NONE_WANTED),
    Column("Not attested", _with("unattested"), NONE_BETTER),
    Column("Passed", _with("pass")),
    Column("Do not apply", _with("not_applicable")),
    Column("Waived", newest("bkp_audit_waived_rules"), Look(steps=((1, INFO),))),
)

RULES = table(
    "Rules",
    "Every rule of the newest audits. docs/rules.md says why each is asked for and how it is met.",
    (
        SERVER_KEY,
        Key("rule", "Rule"),
        Key("title", "It asks for", Look(TEXT)),
        Key("severity", "Severity", RULE_SEVERITY),
    ),
    Column("", newest("bkp_audit_rule_info", f"{RULE}, title, severity")),
    Column("Verdict", state_of("bkp_audit_rule_verdict", RULE), states_of("bkp_audit_rule_verdict")),
    Column("Counts", newest("bkp_audit_rule_counts", RULE), YES_NO),
    Column("Waived", newest("bkp_audit_rule_waived", RULE), YES_NO),
    Column("Not met since", milliseconds(newest("bkp_audit_rule_unmet_since_timestamp_seconds", RULE)), WHEN),
    sort="-Counts",
)

ESCROW = escrow(
    "",
    "What each configured location is to hold, and what people vouch for. Empty: no location is configured, or what was"
    " attested cannot be trusted. Once the key is changed, nothing counts that was attested before.",
)

BOARD = Dashboard(
    "bkp-compliance",
    "Backups: compliance",
    "The monthly audit: the verdict on each rule, since when what is not met is not met, and whether an audit is late."
    " And what people vouch for, outside the server.",
    (
        section("At a glance", GLANCE, line(7, SERVERS)),
        section("Rules", line(14, RULES)),
        section("Escrow", line(8, ESCROW)),
        section(
            "Over time",
            line(
                12,
                timeline(
                    "What is not met",
                    f"({state_of('bkp_audit_rule_verdict', RULE)})"
                    f" and on ({RULE}) (bkp_audit_rule_verdict{{verdict=~'fail|error|unattested'}} == 1)",
                    "{{rule}} on {{instance}}",
                    states_of("bkp_audit_rule_verdict"),
                    "Each rule while it was not met. A gap: it was met, or nothing was known.",
                ),
                graph(
                    "Rules by verdict",
                    PLAIN_COUNT,
                    "How many rules got each verdict in the newest audit, over all servers that are chosen.",
                    ("sum by (verdict) (bkp_audit_rules)", "{{verdict}}"),
                ),
            ),
        ),
    ),
    marks=(Mark("Audits", milliseconds(newest("bkp_audit_judged_timestamp_seconds")), "Audit", "{{instance}}"),),
    since="now-90d",
)
