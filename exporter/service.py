"""Puts the parts together: one snapshot for the command line, or a server with a thread that refreshes."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING

from bkp import __version__
from bkp.clock import utc_now
from bkp.config.values import ListenAddress
from bkp.errors import UsageError
from exporter.reading import ConfigWatch, HostReader

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.refresh import Refresher, Snapshot

STOP_SECONDS = 2.0
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def make_refresher(watch: ConfigWatch) -> Refresher:
    """Return what turns the state that `watch`'s configuration names into snapshots."""
    from exporter.exposition import Exposer  # the client library is half of the start-up time
    from exporter.refresh import Refresher

    return Refresher(HostReader(watch, utc_now), Exposer(__version__).expose)


def take_snapshot(config_path: Path) -> Snapshot:
    """Return the state as it is now. Raise `ConfigError` for a configuration that is not valid."""
    _log_to_stderr()
    return make_refresher(ConfigWatch(config_path, utc_now)).make()


def serve(config_path: Path, listen: str | None) -> None:
    """Serve until SIGTERM or SIGINT. Raise `ConfigError`, `UsageError` or `ListenError` if it cannot begin."""
    _log_to_stderr()
    # Waited for, never handled: a handler that sets a threading.Event hangs if it interrupts that Event's own wait().
    # Blocked before any thread begins, so that none of them is interrupted instead.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    address = _address(listen)
    watch = ConfigWatch(config_path, utc_now)
    holder = _Late()
    from exporter.server import ExporterServer

    server = ExporterServer(address or watch.loaded.config.exporter.listen, holder.fresh)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="server", daemon=True).start()
    print(f"bkp-exporter: serving http://{server.address}/", flush=True)  # noqa: T201  # what --listen HOST:0 is for
    refresher = holder.refresher = make_refresher(watch)
    refreshing = threading.Thread(target=refresher.run, name="refresh", daemon=True)
    refreshing.start()
    while signal.sigwait(SIGNALS) == signal.SIGHUP:
        refresher.wake()
    server.shutdown()
    server.server_close()
    refresher.stop()
    refreshing.join(STOP_SECONDS)


class _Late:
    """Stands for the refresher until there is one: the port is open before the client library is loaded."""

    refresher: Refresher | None = None

    def fresh(self) -> Snapshot | None:
        return self.refresher.fresh() if self.refresher is not None else None


def _address(listen: str | None) -> ListenAddress | None:
    try:
        return ListenAddress.parse(listen) if listen is not None else None
    except ValueError as exc:
        raise UsageError(f"--listen {listen}: {exc}") from None


def _log_to_stderr() -> None:
    """Log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("bkp-exporter")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
