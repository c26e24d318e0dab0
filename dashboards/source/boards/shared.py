"""What several dashboards show: servers, concerns, alerts."""

from __future__ import annotations

from dashboards.source.dashboard import Mark
from dashboards.source.looks import (
    COUNT,
    GOOD,
    KEY_IN_USE,
    LATE,
    LEVEL,
    RUNBOOK_OF_KIND,
    SEVERITY_WORD,
    TEXT,
    WHEN,
    Look,
)
from dashboards.source.panels import Link, Panel, stat, to
from dashboards.source.query import SERVER, late, milliseconds, newest
from dashboards.source.table import Column, Key, table

RUNBOOKS = "https://bkp.example/docs/runbooks"
TO_SERVER = to("bkp-server", "This server", instance="__data.fields.instance")
TO_REPOSITORY = to(
    "bkp-repository", "The repository", instance="__data.fields.instance", repository="__data.fields.target"
)
TO_POOL = to("bkp-storage", "The pool", instance="__data.fields.instance", pool="__data.fields.target")
TO_DISK = to("bkp-storage", "The disk", instance="__data.fields.instance", disk="__data.fields.target")
TO_COMPLIANCE = to("bkp-compliance", "Its audit", instance="__data.fields.instance")
TO_STORAGE = to("bkp-storage", "Its pools and disks", instance="__data.fields.instance")
SERVER_KEY = Key("instance", "Server", links=(TO_SERVER,))

# Every server that was seen within 30 days, and every one that Prometheus is told to ask though it never answered: by
# the name that the alerts ask for, or by another under which one was seen.
SEEN = f"max by ({SERVER}) (last_over_time(bkp_exporter_build_info[30d]))"
ANSWERS = f"max by ({SERVER}) (up{{job='bkp'}} or up and on (job) ({SEEN})) or 0 * {SEEN}"
WORST = f"""max by ({SERVER}) (
    3 * (bkp_concerns{{severity='critical'}} > bool 0)
    or 2 * (bkp_concerns{{severity='warning'}} > bool 0)
    or 1 * (bkp_concerns{{severity='info'}} > bool 0)
)"""
# A collector that fails takes its metrics away: whatever is built on them is then empty rather than bad.
PARTS_WORK = f"min by ({SERVER}) (bkp_exporter_collector_success)"
# Nothing is hidden: every server that is expected answers, and every part of its exporter works.
ALL_TELL = f"min({ANSWERS}) == 1 and min({PARTS_WORK}) == 1"
WATCHED = Look(COUNT, names=(("1", "yes", GOOD),), coloured=True)


def runs(where: str = "") -> Mark:
    """Return a mark at each end of a run, whatever became of it. One under way has no length yet. `where`: matchers."""
    keys = f"{SERVER}, job_name, target"
    began = newest("bkp_job_last_attempt_timestamp_seconds", keys, where)
    took = newest("bkp_job_last_attempt_duration_seconds", keys, where)
    outcome = f"max by ({keys}, outcome) (bkp_job_last_attempt_outcome{f'{{{where}}}' if where else ''} == 1)"
    ended = f"{milliseconds(f'({began} + {took})')} * on ({keys}) group_left (outcome) {outcome}"
    return Mark("Runs", ended, "{{job_name}} on {{target}}", "{{outcome}} ({{instance}})")


def bad(title: str, found: str, look: Look, about: str, *links: Link) -> Panel:
    """Return how many (or how much) of `found` there is. It is 0 only where nothing is hidden: else it is not known."""
    more = "Not known where there is none, and a server does not answer or tells only part."
    return stat(
        title, f"{found} > 0 or {found} and {ALL_TELL}", look, f"{about} {more}", *links, missing="not known of all"
    )


def concerns() -> Panel:
    """Return what somebody has to look at: the list of the status page."""
    return table(
        "What somebody has to look at",
        "The list of the status page and of `bkp-run status`, of the servers that answer. Empty is good only while"
        " every server answers. The runbook's address begins as the file says: put in your own.",
        (
            Key("severity", "Severity", SEVERITY_WORD, width=110),
            Key(
                "kind",
                "Runbook",
                RUNBOOK_OF_KIND,
                (Link("What it means, how to mend it", f"{RUNBOOKS}/${{__value.text}}", outside=True),),
            ),
            Key("object", "What"),
            SERVER_KEY,
        ),
        Column("", f"max by ({SERVER}, severity, kind, object) (bkp_concern)"),
        sort="Severity",
    )


def alerts() -> Panel:
    """Return what fires in Prometheus, what only Prometheus can see among it."""
    return table(
        "Alerts that fire",
        "What Prometheus fires, by its rules (dashboards/prometheus/rules): also what no exporter can say itself."
        " Always empty where the rules are not loaded: `Alert rules` says whether they are.",
        (
            Key("severity", "Severity", SEVERITY_WORD, width=110),
            Key(
                "alertname",
                "Runbook",
                Look(TEXT),
                (Link("What it means, how to mend it", f"{RUNBOOKS}/${{__value.text}}", outside=True),),
            ),
            Key("object", "What"),
            SERVER_KEY,
        ),
        Column("", f"max by ({SERVER}, severity, alertname, object) (ALERTS{{alertstate='firing'}})"),
        sort="Severity",
    )


def escrow(where: str, about: str) -> Panel:
    """Return what each location outside the server is to hold, and what people vouch for. `where`: matchers."""
    keys = f"{SERVER}, location, what, target"
    deadline = newest("bkp_escrow_deadline_timestamp_seconds", keys, where)
    return table(
        "Outside the server",
        about,
        (SERVER_KEY, Key("location", "Location"), Key("what", "What"), Key("target", "Of")),
        Column("Attested as", newest("bkp_escrow_level", keys, where), LEVEL),
        Column("The key there", newest("bkp_escrow_match", keys, where), KEY_IN_USE),
        Column("Attested", milliseconds(newest("bkp_escrow_attested_timestamp_seconds", keys, where)), WHEN),
        Column("Counts until", milliseconds(deadline), WHEN),
        Column("In time", f"time() > bool {deadline}", LATE),
        sort="Location",
    )


def sources(where: str = "") -> Panel:
    """Return how old the newest good copy of each source is. `where`: matchers."""
    keys = f"{SERVER}, repository, source"
    complete = newest("bkp_source_last_complete_backup_timestamp_seconds", keys, where)
    deadline = newest("bkp_source_deadline_timestamp_seconds", keys, where)
    return table(
        "Sources",
        "When each source was last complete in a good archive, and by when it has to be again.",
        (SERVER_KEY, Key("repository", "Repository"), Key("source", "Source")),
        Column("Last complete backup", milliseconds(complete), WHEN),
        Column("Deadline", milliseconds(deadline), WHEN),
        Column("In time", late(deadline, complete, keys), LATE),
    )
