"""What the pages say is there, is there; and what a person may meet, is in them."""

import re
from pathlib import Path

import pytest

from bkp.tools.borg.outcome import Problem

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
GUIDE = ROOT / "CONTRIBUTING.md"
LINK = re.compile(r'\]\((?!\w+:)([^)\s]+)\)|(?:src|srcset)="([^"]+)"')


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for groups in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = (groups[0] or groups[1]).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), f"{path}#{anchor}"


def test_the_files_that_the_guide_names_are_there() -> None:
    named = re.findall(
        r"\b((?:tests|scripts|docs|requirements|bkp)/[\w./-]+\.(?:py|md|txt|in))", GUIDE.read_text(encoding="utf-8")
    )
    assert "tests/unit/core/test_status.py" in named
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("problem", Problem, ids=lambda problem: problem.name)
def test_every_failure_of_borg_is_explained_in_the_recovery_page(problem: Problem) -> None:
    page = (ROOT / "docs/recovery.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]+\|$", page, re.MULTILINE)
    assert problem.value in rows


@pytest.mark.parametrize("picture", sorted((ROOT / "docs/pictures").iterdir()), ids=lambda picture: picture.name)
def test_pictures_are_small_enough_to_live_in_the_repository(picture: Path) -> None:
    assert picture.stat().st_size < 200 * 1024
