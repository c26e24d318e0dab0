"""Colours of the HTML report, light and dark. Text keeps a contrast of 4.5:1 on its ground (a test measures it)."""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """A text colour on its ground."""

    text: str
    ground: str


LIGHT = {
    "page": Pair("#1d2530", "#f3f5f8"),
    "card": Pair("#1d2530", "#fdfdfe"),
    "muted": Pair("#535e6d", "#fdfdfe"),
    "code": Pair("#1d2530", "#eef1f5"),
    "fail": Pair("#9c1f17", "#fbe6e4"),
    "error": Pair("#6d2f93", "#f3e8fa"),
    "unattested": Pair("#7a4a00", "#fdf0d5"),
    "pass": Pair("#17603a", "#e0f2e7"),
    "na": Pair("#4a5563", "#e9ecf0"),
}
DARK = {
    "page": Pair("#e4e8ee", "#12161c"),
    "card": Pair("#e4e8ee", "#1b2129"),
    "muted": Pair("#a7b1bf", "#1b2129"),
    "code": Pair("#e4e8ee", "#262e39"),
    "fail": Pair("#ffb9b1", "#4c1d1a"),
    "error": Pair("#e3c2fb", "#3d2152"),
    "unattested": Pair("#f7d28b", "#463108"),
    "pass": Pair("#a3e2bd", "#123a26"),
    "na": Pair("#c3cbd6", "#2d3540"),
}
RULE_LIGHT = "#d8dee6"
RULE_DARK = "#39424f"


def contrast(pair: Pair) -> float:
    """Return the contrast ratio of a pair, 1 to 21 (WCAG 2.2, relative luminance)."""
    one, other = sorted((_luminance(pair.text), _luminance(pair.ground)), reverse=True)
    return (one + 0.05) / (other + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
