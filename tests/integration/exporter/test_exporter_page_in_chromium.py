"""The status page in a real browser: its policy blocks nothing of it, and it fits every width."""

from __future__ import annotations

import html
import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from exporter.page import render_page
from tests.support.exporter_world import World, every_status, make_run
from tests.support.observed_world import observed_badly

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.exporter.conftest import Server

MEASURE = """<!doctype html><meta charset="utf-8"><body>{frames}<pre id="result"></pre><script>
addEventListener("load", () => {{
  const found = [...document.querySelectorAll("iframe")].map((frame) => {{
    const root = frame.contentDocument.documentElement;
    return [root.clientWidth, root.scrollWidth, root.scrollHeight];
  }});
  document.getElementById("result").textContent = JSON.stringify(found);
}});
</script>"""


def chromium(profile: Path, url: str, *options: str) -> tuple[str, list[str]]:
    """Return the document after loading, and what the browser's console says."""
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        *options,
        "--dump-dom",
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout, re.findall(r":CONSOLE.*", done.stderr)


def test_the_browser_blocks_nothing_of_the_served_page(server: Server, tmp_path: Path) -> None:
    document, complaints = chromium(tmp_path / "profile", f"{server.url}/")
    assert "Backups of vault" in document
    assert complaints == []


def test_the_browser_does_complain_of_a_style_that_a_policy_does_not_allow(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    policy = "default-src 'none'; style-src 'sha256-AAAA'"
    page.write_text(
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>p {{ color: red }}</style>',
        encoding="utf-8",
    )
    _, complaints = chromium(tmp_path / "profile", page.as_uri())
    assert complaints


@pytest.mark.parametrize("scene", ["every status", "long words", "pools and disks"])
def test_the_page_fits_every_width_without_scrolling_sideways(scene: str, tmp_path: Path) -> None:
    world = World(tmp_path / "host", ("main", "photos", "mirror"))
    every_status(world)
    if scene == "long words":
        world.record(make_run("check", "23 08:00", Outcome.FAILURE, reason="/srv/" + "very_long_name" * 60))
    if scene == "pools and disks":
        observed_badly(world)
    page = html.escape(render_page(world.model()))
    widths = (320, 380, 600, 900, 1400)
    frames = "".join(f'<iframe srcdoc="{page}" width="{width}" height="900"></iframe>' for width in widths)
    measure = tmp_path / "measure.html"
    measure.write_text(MEASURE.format(frames=frames), encoding="utf-8")
    document, _ = chromium(tmp_path / "profile", measure.as_uri(), "--hide-scrollbars", "--window-size=1600,1000")
    match = re.search(r'<pre id="result">(.*?)</pre>', document)
    assert match is not None
    found = json.loads(match[1])
    assert [client for client, _, _ in found] == list(widths)
    assert [scroll for _, scroll, _ in found] == list(widths)
    assert all(height > 900 for _, _, height in found)
