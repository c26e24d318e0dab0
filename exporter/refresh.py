"""Keeps one current snapshot of everything that is served, and replaces it as a whole.

Every `POLL` seconds a stat(2) of each file shows whether one has changed. A new snapshot is made after a change, and
every `TICK` seconds without one, because statuses depend on the clock: a job can become late while no file changes.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from exporter.model import Model, build_model
from exporter.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.exposition import Exposition
    from exporter.reading import Look

POLL = 2.0
TICK = 15.0
STALE = 300.0  # an older snapshot is answered with 503: missing data raise an alert, old data do not


class Reader(Protocol):
    """What a refresher reads from: `exporter.reading.HostReader`."""

    def fingerprint(self) -> object:
        """Return a value that differs from the one before if `read` would return something else."""

    def read(self) -> Look:
        """Return everything as it is now."""


class Snapshot:
    """The metrics and the page of one moment. The page is rendered when it is first asked for."""

    def __init__(self, model: Model, exposition: Exposition, made_at: float) -> None:
        self.model = model
        self.exposition = exposition
        self.made_at = made_at
        self._page: bytes | None = None
        self._lock = threading.Lock()

    def page(self) -> bytes:
        """Return the status page as HTML. A snapshot renders it once."""
        from exporter.page import render_page  # loads jinja2, which a host without visitors does not need

        with self._lock:
            if self._page is None:
                self._page = render_page(self.model).encode("utf-8")
            return self._page


class Refresher:
    """Makes snapshots. Any thread may read `current` at any time, because replacing it is one assignment."""

    def __init__(
        self,
        reader: Reader,
        expose: Callable[[Model], Exposition],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        tick: float = TICK,
    ) -> None:
        self._reader = reader
        self._expose = expose
        self._monotonic = monotonic
        self._tick = tick
        self._fingerprint: object = None
        self._wake = threading.Event()
        self._stopping = False
        self.current: Snapshot | None = None
        self._once = Once()

    def fresh(self) -> Snapshot | None:
        """Return the current snapshot; None if there is none yet or it is older than `STALE` seconds."""
        snapshot = self.current
        return snapshot if snapshot is not None and self._monotonic() - snapshot.made_at <= STALE else None

    def step(self) -> bool:
        """Make a new snapshot if a file has changed or `TICK` seconds have passed. Return whether one was made."""
        seen = self._reader.fingerprint()
        current = self.current
        due = current is None or self._monotonic() - current.made_at >= self._tick
        if seen == self._fingerprint and not due:
            return False
        self.make()
        self._fingerprint = seen
        return True

    def make(self) -> Snapshot:
        """Make a new snapshot and return it."""
        made_at = self._monotonic()
        model = build_model(self._reader.read())
        self.current = Snapshot(model, self._expose(model), made_at)
        return self.current

    def run(self, poll: float = POLL) -> None:
        """Make snapshots until `stop`. A step that fails is logged and tried again."""
        while not self._stopping:
            try:
                self.step()
                self._once.well("refreshing")
            except Exception as exc:  # noqa: BLE001  # whatever it is: the next step tries again
                self._once.trouble("refreshing", exc, f"what was there before is served for at most {STALE:.0f} s")
            self._wake.wait(poll)
            self._wake.clear()

    def wake(self) -> None:
        """Look for changes now."""
        self._wake.set()

    def stop(self) -> None:
        """End `run`."""
        self._stopping = True
        self._wake.set()
