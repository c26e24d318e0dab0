"""What makes each alert fire, and what mends it: a table, from which every story about every alert is told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bkp.concerns.model import KINDS
from dashboards.source.looks import alert_of
from tests.support.alert_world import Target, then
from tests.support.promtool import always

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.promtool import Sampled, Story

FAR = 60.0 * 100_000  # seconds: a time that does not come in any story
AHEAD = 90 * 86400.0  # seconds by which a clock was ahead
DAY = 24 * 60  # minutes
THERE = always()


@dataclass(frozen=True)
class Trouble:
    """The minutes from `first` on, until it is mended."""

    first: int
    mended: int

    def turns(self, before: float | None, meanwhile: float | None, after: float | None) -> Sampled:
        """Return what has one value before, one in trouble, and one when it is mended."""
        return then((0, before), (self.first, meanwhile), (self.mended, after))

    def stops(self, early: int) -> Sampled:
        """Return the time of something that happens each minute, and did last `early` minutes before the trouble."""
        return lambda minute: (
            60.0 * (min(minute, self.first - early) if self.first - early <= minute < self.mended else minute)
        )


class Server(Target):
    """One server in a story.

    `blind` from a minute on: no collector of its exporter works. `ahead`: its clock was, so that all that it tells of
    lies in the future. `busy`: a run of every job is under way. `exporters`: how many answer in its name. `told` at
    which minutes anything is: days of every minute would take promtool long.
    """

    def __init__(
        self,
        story: Story,
        instance: str,
        *,
        silent: Callable[[int], bool] = lambda _: False,
        blind: Callable[[int], bool] = lambda _: False,
        ahead: bool = False,
        busy: bool = False,
        exporters: int = 1,
        told: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._blind, self._ahead, self._exporters, self._told = blind, ahead, exporters, told
        self.busy = busy
        super().__init__(story, instance, silent, failing=blind)

    def sample(self, name: str, value: Sampled, **labels: str) -> None:
        """Add a series of this server, of each of its exporters."""
        own = name == "bkp_exporter_collector_success" and labels["collector"] in self.COLLECTORS
        moved = AHEAD if self._ahead and name.endswith("_timestamp_seconds") else 0.0

        def told(minute: int) -> float | None:
            if not self._told(minute) or (self._blind(minute) and not own):
                return None
            found = value(minute)
            return found + moved if found else found  # 0 means never

        for number in range(self._exporters):
            more = {"exporter": str(number)} if self._exporters > 1 else {}
            super().sample(name, told, **labels, **more)


@dataclass(frozen=True)
class Case:
    """What an alert is about. It fires `after` so many minutes of trouble, and is gone `lasts` after it is mended."""

    alert: str
    tell: Callable[[Server, Trouble], None]
    after: int = 5
    lasts: int = 0


def _concern(kind: str, server: Server, trouble: Trouble) -> None:
    server.sample("bkp_concern", trouble.turns(None, 1, None), kind=kind, object="repository main", severity="warning")


def _job(name: str, server: Server, deadline: Sampled, success: Sampled, info: Sampled = THERE) -> None:
    labels = {"job_name": name, "target": "main"}
    server.sample("bkp_job_info", info, **labels, schedule="02:30", late_severity="critical")
    server.sample("bkp_job_deadline_timestamp_seconds", deadline, **labels)
    server.sample("bkp_job_last_success_timestamp_seconds", success, **labels)


def _late(server: Server, trouble: Trouble) -> None:
    first, mended = 60.0 * trouble.first, 60.0 * trouble.mended
    _job("nightly", server, then((0, first), (trouble.mended, FAR)), then((0, 60), (trouble.mended, mended)))


def _never(server: Server, trouble: Trouble) -> None:
    there = trouble.turns(None, 1, 1)
    _job("drill", server, trouble.turns(None, 0, FAR), trouble.turns(None, 0, 60.0 * trouble.mended), there)


def _unknown(server: Server, trouble: Trouble) -> None:
    there = trouble.turns(None, 1, 1)
    _job("verify", server, trouble.turns(None, None, FAR), trouble.turns(None, None, 60.0 * trouble.mended), there)


def _future(server: Server, trouble: Trouble) -> None:
    _job("check", server, always(FAR), trouble.turns(60, FAR / 2, 60.0 * trouble.mended))


def _source(server: Server, trouble: Trouble) -> None:
    labels = {"repository": "photos", "source": "home"}
    due, done = _due(trouble)
    server.sample("bkp_source_deadline_timestamp_seconds", due, **labels)
    server.sample("bkp_source_last_complete_backup_timestamp_seconds", done, **labels)


def _archive(server: Server, trouble: Trouble) -> None:
    due, done = _due(trouble)
    server.sample("bkp_repository_newest_archive_deadline_timestamp_seconds", due, repository="photos")
    server.sample("bkp_repository_newest_archive_timestamp_seconds", done, repository="photos")


def _audit(server: Server, trouble: Trouble) -> None:
    due, done = _due(trouble)
    server.sample("bkp_audit_deadline_timestamp_seconds", due)
    server.sample("bkp_audit_judged_timestamp_seconds", done)


def _due(trouble: Trouble) -> tuple[Sampled, Sampled]:
    """Return a deadline that passes, and when it was last done."""
    return then((0, 60.0 * trouble.first), (trouble.mended, FAR)), then(
        (0, 60), (trouble.mended, 60.0 * trouble.mended)
    )


def _probe(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_observation_limit_seconds", always(900), observation="pools")
    looked = "bkp_observation_looked_timestamp_seconds"
    server.sample(looked, trouble.stops(15), observation="pools", part="tank")


def _watch(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_watch_limit_seconds", always(1200))
    server.sample("bkp_watch_looked_timestamp_seconds", trouble.stops(20))


def _scrub(server: Server, trouble: Trouble) -> None:
    ended = trouble.stops(20)

    def told(minute: int) -> float | None:  # ZFS forgets the end of the last one while the next is under way
        return None if server.busy and trouble.first + 2 <= minute < trouble.mended else ended(minute)

    server.sample("bkp_pool_scan_end_timestamp_seconds", told, pool="tank", scan="scrub")
    server.sample("bkp_pool_scrub_limit_seconds", always(1200), pool="tank")


def _scrub_errors(server: Server, trouble: Trouble) -> None:
    """Tell of errors that the last scrub found, or of those of the one before the one that is under way."""
    again = trouble.first + 8

    def concern(minute: int) -> float | None:
        return 1.0 if trouble.first <= minute < (again if server.busy else trouble.mended) else None

    def going(minute: int) -> float:
        return float(server.busy and again <= minute < trouble.mended)

    server.sample("bkp_concern", concern, kind="scrub_errors", object="pool tank", severity="critical")
    server.sample("bkp_pool_scan_state", going, pool="tank", scan="scrub", state="in_progress")


def _sectors(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_disk_pending_sectors", trouble.turns(2, 8, 2), disk="left")


def _unread(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_disk_values_timestamp_seconds", trouble.stops(20), disk="left")
    server.sample("bkp_disk_of_pool", always(), disk="left", pool="tank")
    server.sample("bkp_pool_scrub_limit_seconds", always(1200), pool="tank")


def _errors(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_vdev_checksum_errors", trouble.turns(3, 9, 3), pool="tank", vdev="102")


def _long(server: Server, trouble: Trouble) -> None:
    begun = trouble.first - 124  # two hours, and four times a minute
    labels = {"job_name": "sync", "target": "photos"}
    since = then((begun, 60.0 * begun), (trouble.mended, None))
    server.sample("bkp_job_running_since_timestamp_seconds", since, **labels)
    server.sample("bkp_job_last_success_duration_seconds", always(60), **labels)


def _snapshot(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_exporter_snapshot_timestamp_seconds", trouble.stops(10))


def _collector(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_exporter_collector_success", trouble.turns(1, 0, 1), collector="escrow")


def _dropped(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_pool_capacity_warning_ratio", trouble.turns(1, None, 1), pool="offsite")


def _filling(trouble: Trouble) -> Callable[[int], float]:
    """Return the percentage that is free: three less each day, and 40 when the trouble begins."""
    return lambda minute: 40 - 3 * (minute - trouble.first) / DAY if minute < trouble.mended else 60


def _pool_fills(server: Server, trouble: Trouble) -> None:
    free = _filling(trouble)
    server.sample("bkp_pool_free_bytes", free, pool="tank")
    server.sample("bkp_pool_capacity_ratio", lambda minute: 1 - free(minute) / 100, pool="tank")
    server.sample("bkp_pool_capacity_warning_ratio", always(0.8), pool="tank")


def _repository_fills(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_repository_filesystem_free_bytes", _filling(trouble), repository="main")
    server.sample("bkp_repository_filesystem_size_bytes", always(100), repository="main")


def _much_is_new(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_last_archive_deduplicated_size_bytes", trouble.turns(1, 90, 1), repository="main")
    server.sample("bkp_last_archive_compressed_size_bytes", always(100), repository="main")


def _much_is_gone(server: Server, trouble: Trouble) -> None:
    server.sample("bkp_last_archive_files", trouble.turns(1000, 700, 1000), repository="main")


# Alerts that follow the exporter's judgement.
OF_CONCERNS = [Case(alert_of(kind), partial(_concern, kind)) for kind in KINDS]
# Those that Prometheus comes to by its own clock and memory, within hours.
OF_HOURS = [
    Case("BkpJobLate", _late, 6),
    Case("BkpJobNever", _never),
    Case("BkpJobUnknown", _unknown),
    Case("BkpClockAhead", _future),
    Case("BkpSourceStale", _source, 6),
    Case("BkpArchiveOld", _archive, 6),
    Case("BkpAuditOld", _audit, 6),
    Case("BkpProbeStale", _probe, 6),
    Case("BkpWatchStale", _watch, 6),
    Case("BkpScrubOld", _scrub, 6),
    Case("BkpScrubErrors", _scrub_errors),
    Case("BkpDiskSectorsGrow", _sectors),
    Case("BkpDiskValuesOld", _unread, 6),
    Case("BkpPoolErrorsGrow", _errors),
    Case("BkpRunTooLong", _long, 6, lasts=16),
    Case("BkpExporterStale", _snapshot, 6),
    Case("BkpCollectorFailing", _collector),
    Case("BkpSeriesGone", _dropped),
]
# And within days.
OF_DAYS = [
    Case("BkpPoolFillsUp", _pool_fills, 64),
    Case("BkpRepositoryFillsUp", _repository_fills, 64),
    Case("BkpNewDataJump", _much_is_new, 16),
    Case("BkpDeletedDataJump", _much_is_gone, 16),
]
