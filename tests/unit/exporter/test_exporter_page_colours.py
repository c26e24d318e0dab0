"""Every text of the status page can be read in light, in dark and on paper (WCAG 2.2, 1.4.3: 4.5 to 1)."""

import re

import pytest

from exporter.page import TEMPLATES

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


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_texts_stand_out_from_what_they_lie_on(palette: str) -> None:
    colours = palettes()[palette]
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("page", "card")]
    pairs += [(text, f"{status}-tint") for status in STATUSES for text in ("ink", "soft", "link", status)]
    pairs += [(status, "card") for status in STATUSES]
    pairs += [("mark", status) for status in STATUSES]
    low = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
