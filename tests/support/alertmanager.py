"""A real Alertmanager on loopback, and a web server that keeps what it posts."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.mounts import in_own_mounts
from tests.support.prometheus import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


# Debian's Alertmanager has the place of its templates built in. Where the package is only unpacked, a /usr/share is
# shown to it that has them, and the time zones that it needs.
TEMPLATES = Path("/usr/share/prometheus/alertmanager")
UNPACKED = Path(sys.prefix) / "share/prometheus/alertmanager"
OWN_SHARE = """\
mkdir -p "$1/prometheus" "$1/zoneinfo"
cp -R "$2" "$1/prometheus/"
mount --bind /usr/share/zoneinfo "$1/zoneinfo"
mount --rbind "$1" /usr/share
shift 2
exec "$@"
"""


def with_templates(folder: Path, *command: str) -> list[str]:
    """Return a command line that runs `command`, which is Alertmanager, where it finds its templates."""
    if TEMPLATES.is_dir():
        return [*command]
    return in_own_mounts("sh", "-ec", OWN_SHARE, "share", str(folder / "share"), str(UNPACKED), *command)


@contextlib.contextmanager
def alertmanager(folder: Path, config: str, port: int) -> Iterator[str]:
    """Run Alertmanager with this configuration on a port, alone (it looks for no others); yield its address."""
    path = folder / "alertmanager.yml"
    path.write_text(config, encoding="utf-8")
    with serving(
        folder / "alertmanager.log",
        f"http://127.0.0.1:{port}",
        *with_templates(
            folder,
            "prometheus-alertmanager",
            f"--config.file={path}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ),
    ) as url:
        yield url


class Hook:
    """Keeps every JSON document that is posted, by the path that it was posted to."""

    def __init__(self) -> None:
        self.posted: dict[str, list[dict[str, Any]]] = {}
        posted = self.posted

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posted.setdefault(self.path, []).append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hook:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def alerts(self, path: str) -> list[dict[str, Any]]:
        """Return every alert that was posted to a path, in its order; each has labels, annotations and a status."""
        return [alert for document in self.posted.get(path, []) for alert in document["alerts"]]
