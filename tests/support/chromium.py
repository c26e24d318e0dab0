"""The real Chromium, without a window: what a page comes to, and whether it fits every width."""

from __future__ import annotations

import html
import json
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WIDTHS = (320, 380, 600, 900, 1400)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)
_MEASURE = """<!doctype html><meta charset="utf-8"><body>{frames}<pre id="result"></pre><script>
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
    command = ["chromium", *OPTIONS, f"--user-data-dir={profile}", "--enable-logging=stderr", *options]
    done = subprocess.run([*command, "--dump-dom", url], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, re.findall(r":CONSOLE.*", done.stderr)


def insist_that_it_fits(folder: Path, *pages: str, height: int = 900) -> None:
    """Raise unless each page, as HTML, needs no scrolling sideways in any of `WIDTHS`; each is at least that high."""
    frames = "".join(
        f'<iframe srcdoc="{html.escape(page)}" width="{width}" height="{height}"></iframe>'
        for page in pages
        for width in WIDTHS
    )
    measure = folder / "measure.html"
    measure.write_text(_MEASURE.format(frames=frames), encoding="utf-8")
    document, _ = chromium(folder / "profile", measure.as_uri(), "--hide-scrollbars", "--window-size=1600,1000")
    match = re.search(r'<pre id="result">(.*?)</pre>', document)
    assert match is not None
    found = json.loads(match[1])
    assert [client for client, _, _ in found] == list(WIDTHS) * len(pages)
    assert [scroll for _, scroll, _ in found] == list(WIDTHS) * len(pages)
    assert all(high > height for _, _, high in found)
