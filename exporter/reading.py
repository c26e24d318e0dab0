"""The edge: configuration and state files in, one `Look` out. Nothing else of the exporter reads a file of bkp's."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bkp.clock import Clock, local_zone
from bkp.config import Config, load_config
from bkp.errors import BkpError, StateError
from bkp.history import History, read_history
from bkp.liveness import PROC, is_alive
from bkp.mail.outbox import Outbox
from bkp.observations import KINDS, read_observations
from bkp.state.audits import KeptReports, read_kept
from bkp.state.observed import path_of, read_observation
from bkp.state.reading import Readable
from bkp.state.store import JobState, StateStore
from bkp.state.watch import watch_paths
from bkp.survey import Survey, configured, survey

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from bkp.state.audits import Kept, KeptReport
    from bkp.state.observed import Observed
    from bkp.state.reading import Reading
log = logging.getLogger("bkp-exporter")

T = TypeVar("T")
Stamp = tuple[int, int, int, int] | None
_RECORDS = ("latest.json", "success.json", "pause.json")  # the last is mostly not there


@dataclass(frozen=True)
class LoadedConfig:
    """The configuration in use, and whether it is what the file says now. `loaded_at` is UTC."""

    config: Config
    path: Path
    loaded_at: datetime
    sha256: str
    current: bool


@dataclass(frozen=True)
class Look:
    """Everything that is read from the host at one moment."""

    host: str
    config: LoadedConfig
    survey: Survey


def stamp(path: Path) -> Stamp:
    """Return what changes with a file's content, at the price of one stat(2); None if it is not there to be seen."""
    try:
        facts = os.stat(path)  # noqa: PTH116  # a Path method would cost more than the call
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


class ConfigWatch:
    """The configuration file over time: loaded again when it changes, the last good one kept when it is bad or gone."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Load the file. Raise `ConfigError` as any command does: a start with a bad configuration is refused."""
        self.path = path.absolute()
        self._clock = clock
        self._stamp = stamp(path)
        self._complaint = ""
        self.loaded = self._load()

    def refresh(self) -> LoadedConfig:
        """Load the file if it has changed since it was last looked at, or was bad then."""
        seen = stamp(self.path)
        if seen == self._stamp and self.loaded.current:
            return self.loaded
        self._stamp = seen
        try:
            self.loaded = self._load()
        except BkpError as exc:
            if str(exc) != self._complaint:
                log.warning("configuration not loaded, the one before it stays in use: %s", exc)
            self._complaint = str(exc)
            old = self.loaded
            self.loaded = LoadedConfig(old.config, old.path, old.loaded_at, old.sha256, current=False)
        else:
            self._complaint = ""
            log.info("configuration %s loaded", self.path)
        return self.loaded

    def _load(self) -> LoadedConfig:
        config = load_config(self.path)
        try:
            content = self.path.read_bytes()
        except OSError:  # replaced or removed this moment: the next look finds the stamp changed
            content = b""
        return LoadedConfig(config, self.path, self._clock(), hashlib.sha256(content).hexdigest(), current=True)


class HostReader:
    """Reads configuration, records, history and observations; remembers what did not change."""

    def __init__(self, watch: ConfigWatch, clock: Clock, *, zone: tzinfo | None = None, proc: Path = PROC) -> None:
        self._watch = watch
        self._clock = clock
        self._zone = zone
        self._proc = proc
        self._states: dict[Path, tuple[tuple[Stamp, ...], JobState]] = {}
        self._history: History | None = None
        self._history_stamp: Stamp = None
        self._observations: dict[Path, tuple[Stamp, Any]] = {}
        self._audit: tuple[Path, Stamp, Reading[Kept[KeptReport]]] | None = None
        self._chain: tuple[dict[Path, Stamp], str | None] | None = None

    def fingerprint(self) -> tuple[Stamp, ...]:
        """Return what changes when anything that `read` reads has changed; it costs a stat(2) for each file."""
        config = self._watch.loaded.config
        store = StateStore(Path(config.paths.state))
        paths = [self._watch.path, store.root, store.root / "jobs", store.ledger.path, Path(config.attestations_path)]
        paths += [path_of(store.root, kind) for kind in KINDS]
        paths.append(KeptReports(store.root).folder)
        paths += [*Outbox(store.root, Path(config.paths.lock)).folders, *watch_paths(config)]
        for job, target in configured(config):
            folder = store.job_dir(job, target)
            paths += [folder / name for name in _RECORDS]
        return tuple(stamp(path) for path in paths)

    def read(self) -> Look:
        """Read everything. Never raises for anything that a file may hold."""
        config = self._watch.refresh()
        store = StateStore(Path(config.config.paths.state))
        found = survey(
            config.config,
            store,
            self._clock,
            self._zone or local_zone(),
            partial(is_alive, proc=self._proc),
            read_job=lambda job, target: self._read_job(store, job, target),
            history=lambda: self._read_history(store),
            observations=lambda: read_observations(store.root, self._read_observation),
            audit=lambda: KeptReports(store.root).newest(self._read_kept),
            audit_chain=lambda: self._chain_problem(KeptReports(store.root)),
        )
        return Look(config.config.host or os.uname().nodename, config, found)

    def _read_job(self, store: StateStore, job: str, target: str) -> JobState:
        """Return the records, the same objects as before where no file has changed.

        What was unreadable or not there is tried anew: no stamp can tell a missing file from a folder that is closed
        to us. The stamps are taken before reading, so that a file replaced in between is read again the next time.
        """
        folder = store.job_dir(job, target)
        seen = tuple(stamp(folder / name) for name in _RECORDS)
        known = self._states.get(folder)
        if known is not None and None not in seen[:2] and known[0] == seen:
            return known[1]
        state = store.read_job(job, target)
        if all(isinstance(found, Readable) for found in (state.latest, state.success)):  # the folder is open to us
            self._states[folder] = (seen, state)
        else:
            self._states.pop(folder, None)
        return state

    def _read_history(self, store: StateStore) -> History:
        seen = stamp(store.ledger.path)
        known = self._history
        if known is None or known.path != store.ledger.path or seen is None or seen != self._history_stamp:
            known = read_history(store.ledger)
        self._history, self._history_stamp = known, seen
        return known

    def _read_observation(self, state: Path, name: str, kind: type[T]) -> Reading[Observed[T]]:
        """Return an observation, the same object as before where its file has not changed. As for records."""
        path = path_of(state, name)
        seen = stamp(path)
        known = self._observations.get(path)
        if known is not None and seen is not None and known[0] == seen:
            found: Reading[Observed[T]] = known[1]
            return found
        found = read_observation(state, name, kind)
        if isinstance(found, Readable):
            self._observations[path] = (seen, found)
        else:
            self._observations.pop(path, None)
        return found

    def _read_kept(self, path: Path) -> Reading[Kept[KeptReport]]:
        """Return a report of the audit, the same object as before where its file has not changed. As for records."""
        seen = stamp(path)
        known = self._audit
        if known is not None and seen is not None and known[:2] == (path, seen):
            return known[2]
        found = read_kept(path)
        self._audit = (path, seen, found) if isinstance(found, Readable) else None
        return found

    def _chain_problem(self, kept: KeptReports) -> str | None:
        """Return what is wrong with the chain of reports; it is read again where a file of it has changed."""
        try:
            seen = {each.path: stamp(each.path) for each in kept.files()}
        except StateError:
            return kept.problem()
        if self._chain is None or self._chain[0] != seen or None in seen.values():
            self._chain = (seen, kept.problem())
        return self._chain[1]
