"""The status page says what the metrics say, in words, without a script or anything from elsewhere."""

import base64
import hashlib
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bkp.state.descriptions import describe_archive
from bkp.state.fields import Outcome
from exporter.page import build_page, render_page
from exporter.web import STYLE, answer
from tests.support.exporter_world import World, archive, at, every_status, facts, healthy, make_run
from tests.support.observed import Observer, a_dataset
from tests.support.outside_world import ID, outside, outside_badly
from tests.support.records import GIB, a_message, a_night


class Reader(HTMLParser):
    """Collects tags, attributes and text, and insists that what is opened is closed."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


def test_every_status_has_its_word_its_sign_and_its_reason(three: World) -> None:
    every_status(three)
    html = render_page(three.model())
    text = Reader(html).text
    for word in ("ok", "late", "failed", "never ran", "running", "unknown"):
        assert re.search(rf'<span class="status"><svg class="sign".*?</svg>\s*{word}</span>', html, re.DOTALL), word
    assert "source etc is missing: /srv/etc is not there" in text
    assert "latest.json is torn or is not JSON" in text
    assert "3 of 20 restored files are not what was backed up" in text
    assert "17 of 20 files identical (1 differ, 2 missing)" in text


def test_a_job_that_is_run_by_hand_only_and_never_was_needs_nobodys_attention(tmp_path: Path) -> None:
    world = World(tmp_path, extra="jobs: {drill: {schedule: null}}\n")
    world.record(*(make_run(job, "23 01:30") for job in ("nightly", "check", "verify")))
    page = build_page(world.model())
    assert page.concerns == ()
    assert page.headline == "All 6 jobs are in order"
    shown = {card.job: (card.status, {row.tone for row in card.rows}) for card in page.repositories[0].jobs}
    assert shown["drill"] == shown["prune"] == ("unused", {""})  # and no colour calls for anybody
    assert shown["nightly"][0] == "ok"


def test_times_are_local_with_their_zone_and_say_how_far_they_are(world: World) -> None:
    healthy(world)
    html = render_page(world.model())
    text = Reader(html).text
    assert "last success Mon 23 Nov, 02:42 CET 7h 18m ago" in text
    assert "next deadline Tue 24 Nov, 04:30 CET in 18h 30m" in text
    assert "oldest archive Wed 27 May, 03:31 CEST" in text  # summer time then
    assert '<time datetime="2026-11-23T02:42:00+01:00">' in html


def test_all_well_is_said_only_when_all_is_well(world: World) -> None:
    assert build_page(world.model()).headline == "4 things need attention"
    healthy(world)
    page = build_page(world.model())
    assert (page.headline, page.tone, page.concerns) == ("All 6 jobs are in order", "ok", ())
    world.path("check", "success").write_bytes(b"{")
    page = build_page(world.model())
    assert page.headline == "2 things need attention"
    assert page.tone == "unknown"


def test_a_broken_history_is_no_reason_to_be_green(world: World) -> None:
    healthy(world)
    world.store.ledger.path.write_bytes(b"broken\n")
    page = build_page(world.model())
    assert page.headline == "1 thing needs attention"
    assert page.tone == "failed"
    assert "history of runs does not hold" in page.concerns[0].text


def test_an_archive_that_is_no_good_one_says_why_it_is_not_confirmed(world: World) -> None:
    def confirmed() -> tuple[str, str]:
        (row,) = [row for row in build_page(world.model()).repositories[0].archive if row.label == "confirmed"]
        return row.text, row.tone

    healthy(world)
    assert confirmed() == ("yes", "")
    for moment, changes, why in (
        ("23 05:00", {"files": 0}, "holds no file at all"),
        ("23 06:00", {"missing": ("etc",)}, "lacks /srv/etc"),
        ("23 07:00", {"confirmed": False}, "the repository has not confirmed it"),
    ):
        made = archive(at(moment), **changes)
        world.record(make_run("nightly", moment, Outcome.FAILURE, result=a_night(made)))
        assert confirmed() == (f"no: {why}", "bad")


def test_the_gravest_status_colours_the_page(world: World) -> None:
    healthy(world)
    world.record(make_run("drill", "23 07:30", Outcome.INTERRUPTED))
    page = build_page(world.model())
    assert (page.tone, page.concerns[0].word) == ("late", "warning")
    world.record(make_run("check", "23 08:30", Outcome.FAILURE))
    page = build_page(world.model())
    assert (page.tone, [concern.word for concern in page.concerns]) == ("failed", ["critical", "warning"])


def test_what_comes_from_files_cannot_become_markup(world: World) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    start = at("23 01:30")
    made = archive(start, sources=("home", "etc"), missing=("etc",))
    world.record(
        make_run(
            "nightly",
            start,
            Outcome.FAILURE,
            reason=evil,
            result=a_night(made, facts(start, encryption=evil)),
            messages=(a_message(evil),),
        )
    )
    html = render_page(world.model())
    found = Reader(html)
    assert "script" not in found.tags
    assert "img" not in found.tags
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert "&lt;script&gt;" in html


def test_the_page_loads_nothing_and_its_policy_allows_just_its_own_style(three: World) -> None:
    every_status(three)
    html = render_page(three.model())
    found = Reader(html)
    assert {"script", "link", "img", "iframe", "object", "form", "base"}.isdisjoint(found.tags)
    assert not [tag for tag, name, _ in found.attributes if name in {"src", "style", "srcset"}]
    links = [value for _, name, value in found.attributes if name == "href"]
    assert all(link.startswith(("#", "/")) and not link.startswith("//") for link in links)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert not re.search(r"url\(|@import", style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    from exporter.exposition import Exposer
    from exporter.refresh import Refresher

    refresher = Refresher(three.reader(), Exposer("1").expose)
    refresher.make()
    policy = answer("GET", "/", {}, refresher.fresh).policy
    assert f"style-src 'sha256-{digest}'" in policy


def test_links_in_the_page_lead_to_something(three: World) -> None:
    every_status(three)
    found = Reader(render_page(three.model()))
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for _, name, value in found.attributes if name == "href" and value.startswith("#")}
    assert targets
    assert targets <= set(ids)


def test_a_replica_is_shown_and_one_that_is_not_known_is_never_green(world: World) -> None:
    outside(world)
    healthy(world)
    photos, papers = build_page(world.model()).replications
    assert (photos.status, photos.word) == ("ok", "9h behind")
    rows = {row.label: row for row in photos.rows}
    assert (rows["live server refuses"].tone, rows["received"].text) == ("good", "734.0 MiB in 1m 2s")
    world.now += timedelta(hours=28)
    assert build_page(world.model()).replications[0].status == "late"
    world.now -= timedelta(hours=40)  # the snapshot lies in the future now
    ahead = build_page(world.model()).replications[0]
    assert (ahead.status, ahead.word) == ("unknown", "not known")
    assert papers.name == "papers"


def test_what_lies_outside_is_shown_and_what_does_not_count_is_never_green(world: World) -> None:
    def shown() -> dict[str, tuple[str, str]]:
        rows = build_page(world.model()).repositories[0].proofs
        return {row.label: (row.text, row.tone) for row in rows if " at " in row.label or "copy" in row.label}

    outside(world)
    assert shown() == {
        "key at vault.hc": ("opened", "good"),
        "passphrase at vault.hc": ("opened", "good"),
        "key at paper": ("matched", "good"),
        "key at bank": ("matched", "good"),
        "opened by a copy": ("from vault.hc", "good"),
    }
    world.record(make_run("check", world.now, subject=ID, key_fingerprint="3" * 64, mail="not wanted"))
    found = shown()
    assert (found["key at vault.hc"], found["key at bank"]) == (("outdated", "bad"), ("outdated", "bad"))
    assert found["opened by a copy"][1] == "warn"


def test_the_key_of_an_encryption_root_is_shown_at_its_pool(world: World) -> None:
    world.extra += (
        "pools: {tank: {disks: [left]}}\ndisks: {left: {path: /dev/disk/by-id/left}}\n"
        "audit: {escrow: [{name: bank, holds: [zfs-key]}]}\n"
    )
    world.config_path.write_text(world.config_text(), encoding="utf-8")
    observer = Observer(world.store.root, world.now)
    mounted = {"mountpoint": "/", "guid": "4711", "key_form": "raw"}
    observer.datasets = {"tank/Secure": observer.part(a_dataset("tank/Secure", **mounted))}
    observer.write()
    (card,) = build_page(world.model()).pools
    assert [(row.text, row.tone) for row in card.rows if row.label == "key of tank/Secure at bank"] == [
        ("never", "warn")
    ]


def test_a_replica_that_was_never_whole_or_never_pulled_says_so(world: World) -> None:
    outside_badly(world)
    page = build_page(world.model())
    photos, papers = page.replications
    rows = {row.label: row for row in photos.rows}
    assert (photos.status, photos.word) == ("failed", "not known")
    assert rows["never received"].text == rows["cut off"].text == "tank/photos/raw"
    assert (rows["live server refuses"].tone, rows["newest in common"].tone) == ("bad", "warn")
    assert (papers.status, papers.word, papers.rows[-1].tone) == ("unknown", "not known", "warn")
    about = [line.anchor for line in page.concerns if line.text.startswith("Replication photos")]
    assert about
    assert set(about) == {"replication-photos"}
    Reader(render_page(world.model()))


@pytest.mark.parametrize(("free", "tone"), [(1800, "plain"), (150, "warn"), (40, "bad"), (0, "bad")])
def test_a_file_system_that_fills_up_stands_out(world: World, free: int, tone: str) -> None:
    described = facts(at("23 01:30"), free_bytes=free * GIB)
    world.record(make_run("nightly", "23 01:30", result=a_night(repository=described)))
    (bar,) = [bar for bar in build_page(world.model()).repositories[0].bars if bar.label == "file system"]
    assert bar.tone == tone
    assert 0 <= bar.percent <= 100


@pytest.mark.parametrize(
    ("original", "on_disk", "words"),
    [
        (3540 * GIB, 187 * GIB, ["187.0 GiB hold 3.5 TiB of archives"]),
        (2, 1740, []),
        (1740, 1740, []),
        (0, 0, []),
        (None, 1740, []),
        (2, None, []),
    ],
)
def test_the_bar_of_what_archives_take_is_left_out_where_they_take_more_than_they_hold(
    world: World, original: int | None, on_disk: int | None, words: list[str]
) -> None:
    described = facts(at("23 01:30"), original_bytes=original, deduplicated_bytes=on_disk)
    world.record(make_run("nightly", "23 01:30", result=a_night(repository=described)))
    (card,) = build_page(world.model()).repositories
    assert [bar.text for bar in card.bars if bar.label == "on disk"] == words
    assert all(0 <= bar.percent <= 100 for bar in card.bars)


def test_never_is_as_grave_in_a_row_as_in_the_status_beside_it(world: World) -> None:
    def tones() -> tuple[str, set[str], set[str]]:
        (card,) = build_page(world.model()).repositories
        nightly = next(job for job in card.jobs if job.job == "nightly")
        rows = {row.tone for row in nightly.rows if row.text == "never"}
        return nightly.status, rows, {row.tone for row in card.sources if row.text == "never"}

    assert tones() == ("never", {"warn"}, {"warn"})
    world.record(make_run("nightly", "23 01:30", Outcome.FAILURE))
    assert tones() == ("failed", {"bad"}, {"bad"})
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", STYLE.read_text(encoding="utf-8").partition("@media")[0]))
    assert colours["never"] == colours["late"]  # what a row in the tone of a warning has


def test_a_deferred_run_is_said_and_is_not_a_bad_one(world: World) -> None:
    healthy(world)
    latest = world.model().survey.standings[1].latest
    assert latest is not None
    world.record(make_run("check", "23 08:00", Outcome.DEFERRED, reason="a night runs", before=latest.end))
    page = build_page(world.model())
    assert (page.headline, page.tone) == ("All 6 jobs are in order", "ok")
    (card,) = [card for card in page.repositories[0].jobs if card.job == "check"]
    assert card.why == "Deferred: a night runs."
    assert [(row.text, row.tone) for row in card.rows if row.label == "last attempt"] == [("deferred", "")]
    assert "took" not in {row.label for row in card.rows}


def test_the_last_archive_is_described_as_terminal_and_mail_do(world: World) -> None:
    made = archive(at("23 01:30"), missing=("etc",))
    world.record(make_run("nightly", "23 01:30", Outcome.FAILURE, result=a_night(made)))
    (card,) = build_page(world.model()).repositories
    said = {row.label: row.text for row in card.archive}
    assert {line.label.lower(): line.text for line in describe_archive(made)}.items() <= said.items()
    assert {"made", "took", "confirmed", "missing root"} <= said.keys()
