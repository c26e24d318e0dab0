"""Answers a request, from its method, path and headers and the current snapshot. Opens no socket."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from http import HTTPStatus
from pathlib import Path

from exporter.negotiation import accepts_gzip, choose_format
from exporter.refresh import Snapshot

log = logging.getLogger("bkp-exporter")

PLAIN = "text/plain; charset=utf-8"
ALLOWED = ("GET", "HEAD")
RENEWED = "60"  # seconds
STYLE = Path(__file__).parent / "templates" / "status.css"

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ORIGIN = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"

Fresh = Callable[[], Snapshot | None]


@dataclass(frozen=True)
class Response:
    """A response. `headers` are those that only this answer has."""

    status: HTTPStatus
    body: bytes
    content_type: str = PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)
    policy: str = NO_CONTENT_POLICY

    def all_headers(self) -> dict[str, str]:
        """Return all headers except the length, the date and the server's name."""
        return {
            "Content-Type": self.content_type,
            **SECURITY_HEADERS,
            "Content-Security-Policy": self.policy,
            **self.headers,
        }


def answer(method: str, target: str, headers: Mapping[str, str], fresh: Fresh) -> Response:
    """Return the answer to a request. `headers` have lower-case names. No answer holds the text of an exception."""
    route = ROUTES.get(_path(target))
    if route is None:
        return plain(HTTPStatus.NOT_FOUND, "not found; there is / /still /metrics /-/healthy /-/ready")
    if method not in ALLOWED:
        return plain(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", {"Allow": ", ".join(ALLOWED)})
    return route(headers, fresh)


def _path(target: str) -> str:
    """Return the path of a request target, which may be a path or a whole URL (RFC 9112, 3.2.1 and 3.2.2)."""
    absolute = _ORIGIN.match(target)
    path = target[absolute.end() if absolute else 0 :].partition("?")[0].partition("#")[0]
    return path or "/" if absolute else path


def plain(status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that is one line of text."""
    return Response(status, f"{text}\n".encode(), headers=headers or {})


def unavailable(text: str) -> Response:
    """Return the answer that nothing can be served now."""
    return plain(HTTPStatus.SERVICE_UNAVAILABLE, text, {"Retry-After": "5"})


def _metrics(headers: Mapping[str, str], fresh: Fresh) -> Response:
    snapshot = fresh()
    if snapshot is None:
        return unavailable("no current data; see the exporter's log")
    exposition = snapshot.exposition
    wanted = choose_format(headers.get("accept") or "")
    body = exposition.openmetrics if wanted == "openmetrics" else exposition.text
    vary = {"Vary": "Accept, Accept-Encoding"}
    if accepts_gzip(headers.get("accept-encoding") or ""):
        return Response(HTTPStatus.OK, body.gzipped, body.content_type, vary | {"Content-Encoding": "gzip"})
    return Response(HTTPStatus.OK, body.plain, body.content_type, vary)


def _page(headers: Mapping[str, str], fresh: Fresh) -> Response:
    """Return the page, or why there is none, and have the browser ask again: an old page looks like a new one."""
    response = _still(headers, fresh)
    return replace(response, headers={**response.headers, "Refresh": RENEWED})


def _still(_headers: Mapping[str, str], fresh: Fresh) -> Response:
    """Return the page for whoever reads slowly, with a screen reader perhaps: it does not renew itself."""
    snapshot = fresh()
    if snapshot is None:
        return unavailable("no current data; see the exporter's log")
    try:
        body = snapshot.page()
    except Exception:
        log.exception("the status page could not be rendered")
        return plain(HTTPStatus.INTERNAL_SERVER_ERROR, "the page could not be made; see the exporter's log")
    return Response(HTTPStatus.OK, body, "text/html; charset=utf-8", policy=_page_policy())


@cache
def _page_policy() -> str:
    """Return the policy of the page: only its own style sheet, known by its hash, is allowed."""
    digest = base64.b64encode(hashlib.sha256(STYLE.read_bytes()).digest()).decode("ascii")
    return f"{NO_CONTENT_POLICY}; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _healthy(_headers: Mapping[str, str], _fresh: Fresh) -> Response:
    return plain(HTTPStatus.OK, "healthy")


def _ready(_headers: Mapping[str, str], fresh: Fresh) -> Response:
    if fresh() is None:
        return unavailable("not ready: no current data")
    return plain(HTTPStatus.OK, "ready")


ROUTES: Mapping[str, Callable[[Mapping[str, str], Fresh], Response]] = {
    "/metrics": _metrics,
    "/": _page,
    "/still": _still,
    "/-/healthy": _healthy,
    "/-/ready": _ready,
}
