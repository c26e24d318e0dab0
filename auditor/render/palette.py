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
