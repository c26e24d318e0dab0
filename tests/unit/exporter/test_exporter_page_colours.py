"""Every text of the status page can be read in light, in dark and on paper (WCAG 2.2, 1.4.3: 4.5 to 1)."""

import re

import pytest

from exporter.page import TEMPLATES
from tests.support.colours import contrast

STATUSES = ("ok", "late", "failed", "never", "running", "unknown")
STYLE = (TEMPLATES / "status.css").read_text(encoding="utf-8")


def palettes() -> dict[str, dict[str, str]]:
    """Return the colours of each `:root`: light first, then those that dark and print put over it."""
    blocks = [
        dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    ]
    light, dark, print_ = blocks
    return {"light": light, "dark": light | dark, "print": light | print_}


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_texts_stand_out_from_what_they_lie_on(palette: str) -> None:
    colours = palettes()[palette]
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("page", "card")]
    pairs += [(text, f"{status}-tint") for status in STATUSES for text in ("ink", "soft", "link", status)]
    pairs += [(status, "card") for status in STATUSES]
    pairs += [("mark", status) for status in STATUSES]
    low = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
