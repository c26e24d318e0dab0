"""Writes the documentation of the metrics from the catalogue: `python -m exporter.docs > docs/metrics.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from exporter.metrics.registry import SECTIONS

if TYPE_CHECKING:
    from exporter.metrics.metric import Metric

HEAD = """\
# Metrics

Generated from the catalogue (`exporter/metrics/`) by `python -m exporter.docs > docs/metrics.md`; do not edit.

All values come from the files that `bkp-run` writes: they are as old as those files, whose age is exported too. The
exporter renders everything when a file changes (it looks every 2 s) and every 15 s besides, because statuses depend on
the clock; a scrape only hands out what is there.

- **Unknown is absent.** A value that cannot be known has no sample; it is never exported as -1 or 0. Each metric says
  when that is so. The cause shows elsewhere: `bkp_state_file_unreadable`, `bkp_exporter_collector_success`.
- **What has happened is never later than now.** A time of it that lies in the future has no sample, nor has a deadline
  that would follow from it; `bkp_concern` says so, with the kind `clock_ahead` and others.
- **Zero as a time means never**, in three metrics only: `bkp_job_last_success_timestamp_seconds`,
  `bkp_job_deadline_timestamp_seconds` and `bkp_source_last_complete_backup_timestamp_seconds`. So an alert on age, such
  as `time() > bkp_job_deadline_timestamp_seconds`, fires for what never succeeded without a rule of its own.
- **A state set** has one series for each state, 1 for the one that holds and 0 for the others.
- **`job_name`, not `job`**: Prometheus sets `job` and `instance` on what it scrapes and renames a scraped `job` to
  `exported_job`. `target` is what the job works on: the name of a repository. Times are seconds since 1970-01-01 UTC.
"""


def document() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for section in SECTIONS:
        parts.append(f"## {section.title}\n\n{section.about}\n")
        parts += [_entry(metric) for metric in section.metrics]
    return "\n".join(parts)


def _entry(metric: Metric[Any]) -> str:
    kind = "state set" if metric.states else metric.kind
    rows = {"type": kind, "unit": metric.unit, "labels": ", ".join(f"`{label}`" for label in metric.labels)}
    if metric.states:
        rows[f"values of `{metric.labels[-1]}`"] = ", ".join(f"`{state}`" for state in metric.states)
    rows |= {"source": metric.source, "absent when": metric.absent}
    table = [f"| {name} | {text} |" for name, text in rows.items() if text]
    return "\n".join([f"### `{metric.name}`", "", metric.help, "", "| | |", "|---|---|", *table, ""])


if __name__ == "__main__":
    sys.stdout.write(document())
