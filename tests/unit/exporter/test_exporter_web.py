"""Which request gets which answer."""

import gzip

import pytest

from exporter.exposition import OPENMETRICS_TYPE, TEXT_TYPE, Exposer
from exporter.negotiation import accepts_gzip, choose_format
from exporter.refresh import Refresher
from exporter.web import Fresh, answer
from tests.support.exporter_world import World, healthy

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "text"),
        ("*/*", "text"),
        (BROWSER, "text"),
        (PROMETHEUS_2, "openmetrics"),
        (PROMETHEUS_3, "openmetrics"),
        ("application/openmetrics-text", "openmetrics"),
        ("Application/OpenMetrics-Text; Version=1.0.0", "openmetrics"),
        ("application/openmetrics-text;version=0.0.1", "text"),
        ("application/openmetrics-text;version=2.0.0", "text"),
        ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.9", "text"),
        ("application/openmetrics-text;version=1.0.0;q=0", "text"),
        ("application/openmetrics-text;version=1.0.0;q=abc", "text"),
        ("application/openmetrics-text;version=1.0.0;q=nan", "text"),
        (",;,=;q,," * 50, "text"),
    ],
)
def test_the_format_is_the_one_the_client_prefers(accept: str, wanted: str) -> None:
    assert choose_format(accept) == wanted


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("x-gzip", True),
        ("br, zstd", False),
    ],
)
def test_gzip_is_used_only_where_it_is_allowed(header: str, *, allowed: bool) -> None:
    assert accepts_gzip(header) is allowed


@pytest.fixture
def fresh(world: World) -> Fresh:
    healthy(world)
    refresher = Refresher(world.reader(), Exposer("1").expose)
    refresher.make()
    return refresher.fresh


def test_metrics_come_in_the_format_and_coding_that_was_asked_for(fresh: Fresh) -> None:
    plain = answer("GET", "/metrics", {}, fresh)
    assert plain.content_type == TEXT_TYPE
    assert "Content-Encoding" not in plain.all_headers()
    packed = answer("GET", "/metrics?x=1", {"accept": PROMETHEUS_2, "accept-encoding": "gzip"}, fresh)
    assert packed.content_type == OPENMETRICS_TYPE
    assert packed.all_headers()["Content-Encoding"] == "gzip"
    assert packed.all_headers()["Vary"] == "Accept, Accept-Encoding"
    assert gzip.decompress(packed.body).endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://vault:10045/metrics", "/metrics"),
        ("HTTP://vault/metrics?x=/", "/metrics"),
        ("https://[::1]:10045/-/ready", "/-/ready"),
        ("http://vault/", "/"),
        ("http://vault", "/"),
        ("http://vault?x=1", "/"),
        ("http://vault/metrics#x", "/metrics"),
    ],
)
def test_a_whole_address_is_answered_as_its_path_is(target: str, path: str, fresh: Fresh) -> None:
    assert answer("GET", target, {}, fresh) == answer("GET", path, {}, fresh)


@pytest.mark.parametrize(
    "path",
    [
        *("/favicon.ico", "/metrics/", "//", "", "*", "/-/", "/../etc/passwd", "/metrics%00"),
        *("http://vault/nowhere", "http:///metrics", "http:/metrics", "ftp://vault/metrics", "/http://vault/metrics"),
    ],
)
def test_every_other_path_is_not_found(path: str, fresh: Fresh) -> None:
    assert answer("GET", path, {}, fresh).status == 404


@pytest.mark.parametrize("path", ["/", "/still", "/metrics", "/-/healthy", "/-/ready"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_every_other_method_is_refused_with_those_that_are_allowed(method: str, path: str, fresh: Fresh) -> None:
    refused = answer(method, path, {}, fresh)
    assert refused.status == 405
    assert refused.all_headers()["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/still", "/metrics", "/-/healthy", "/nowhere"])
def test_every_answer_carries_the_security_headers(path: str, fresh: Fresh) -> None:
    headers = answer("GET", path, {}, fresh).all_headers()
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; frame-ancestors 'none'")
    assert "script" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_the_page_renews_itself_also_where_there_is_none_now_and_its_still_twin_does_not(fresh: Fresh) -> None:
    page, still = (answer("GET", path, {}, fresh) for path in ("/", "/still"))
    assert page.body == still.body
    assert page.all_headers()["Refresh"] == "60"
    assert "Refresh" not in still.all_headers()
    gone = answer("GET", "/", {}, lambda: None)
    assert (gone.status, gone.all_headers()["Refresh"], "Retry-After" in gone.headers) == (503, "60", True)


def test_a_page_that_fails_gives_no_exception_text_and_leaves_the_metrics_alone(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = fresh()
    assert snapshot is not None

    def fail() -> bytes:
        raise RuntimeError("/root/.borg_env")

    monkeypatch.setattr(snapshot, "page", fail)
    failed = answer("GET", "/", {}, fresh)
    assert failed.status == 500
    assert b"borg_env" not in failed.body
    assert b"RuntimeError" not in failed.body
    assert answer("GET", "/metrics", {}, fresh).status == 200
