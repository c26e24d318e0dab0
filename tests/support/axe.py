"""axe in the real Chromium: what of pages and mails not everybody can read."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.chromium import chromium

if TYPE_CHECKING:
    from collections.abc import Mapping

AXE = Path(sys.prefix, "share/axe/axe.min.js")  # scripts/bootstrap puts it there
LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
DARK = "--blink-settings=preferredColorScheme=0"
# One browser reads all pages, one after the other, and hands what was found on in the address. A page of its own each,
# because axe judges language, title and renewal of the outermost page only. Of one sign axe cannot say whether it is
# text or a picture.
_RUN = """<script src="{axe}"></script><script>
addEventListener("load", async () => {{
  const found = await axe.run(document, {{runOnly: {levels}}});
  const short = (node) => node.any.some((check) => ["shortTextContent", "nonBmp"].includes(check.data?.messageKey));
  const said = (kind) => found[kind].flatMap((rule) => rule.nodes.filter((node) => !short(node))
    .map((node) => `${{kind}}: ${{rule.id}}: ${{node.html.slice(0, 200)}}`));
  const before = JSON.parse(decodeURIComponent(location.hash.slice(1) || "%5B%5D"));
  before.push([{name}, found.passes.length, matchMedia("(prefers-color-scheme: dark)").matches,
               [...said("violations"), ...said("incomplete")]]);
  const all = JSON.stringify(before);
  if ({following}) location.replace({following} + "#" + encodeURIComponent(all));
  else document.documentElement.dataset.axe = all;
}});
</script></body>"""


def complaints(folder: Path, pages: Mapping[str, str], *, dark: bool) -> dict[str, list[str]]:
    """Return what axe finds of level A and AA in each page, given as HTML, and what it cannot decide."""
    assert AXE.is_file(), f"{AXE} is not there: scripts/bootstrap test"
    names, levels = list(pages), json.dumps(LEVELS)
    paths = [folder / f"{number}.html" for number in range(len(names))]
    following = [json.dumps(path.as_uri()) for path in paths[1:]] + ["null"]
    for name, path, after in zip(names, paths, following, strict=True):
        run = _RUN.format(axe=AXE.as_uri(), levels=levels, name=json.dumps(name), following=after)
        path.write_text(run.join(pages[name].rsplit("</body>", 1)), encoding="utf-8")
    options = ["--window-size=900,1200", "--virtual-time-budget=600000", *([DARK] if dark else [])]
    document, _ = chromium(folder / "profile", paths[0].as_uri(), *options)
    match = re.search(r'<html[^>]* data-axe="([^"]*)"', document)
    assert match is not None, "axe did not come to an end"
    found = json.loads(html.unescape(match[1]))
    assert [name for name, *_ in found] == names
    assert all(passes >= 5 and was_dark is dark for _, passes, was_dark, _ in found), "it looked, and at that scheme"
    return {name: said for name, _, _, said in found}
