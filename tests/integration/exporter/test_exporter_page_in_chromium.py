"""The status page in a real browser: its policy blocks nothing of it, and it fits every width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from exporter.page import render_page
from tests.support.chromium import chromium, insist_that_it_fits
from tests.support.exporter_world import World, every_status, make_run
from tests.support.observed_world import observed_badly

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.exporter.conftest import Server


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
    insist_that_it_fits(tmp_path, render_page(world.model()))
