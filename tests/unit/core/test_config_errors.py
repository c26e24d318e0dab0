"""Every mistake in the configuration is one error: file, line, key, what was found, what is wanted, the nearest key."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkp.config import Config, parse_config
from bkp.config.describe import example_text
from bkp.errors import ConfigError
from bkp.jobs import JOBS, Kind
from tests.unit.core.config_support import BASE, accepted, refused

ONE_DISK = "disks: {one: {path: /dev/disk/by-id/a}}\n"


def with_main(text: str) -> str:
    return BASE.replace("path: /r", text)


def with_data(text: str) -> str:
    return BASE.replace("path: /x", text)


def test_the_least_configuration_is_schema_repositories_sources_and_mail() -> None:
    assert isinstance(accepted(BASE), Config)


MISTAKES = [
    # text, line, column, message, remedy
    ("", 1, 1, "found nothing, wanted a mapping (key: value)", None),
    ("- a\n", 1, 1, "found a list, wanted a mapping (key: value)", None),
    ("just text\n", 1, 1, "found 'just text', wanted a mapping (key: value)", None),
    ("sources: {}\nrepositories: {}\n", 1, 1, "key schema is missing", "add it at the top level"),
    (BASE.replace("schema: 1", "schema: 2"), 1, 9, "schema: found the number 2, wanted one of 1", None),
    (BASE.replace("schema: 1", "schema: '1'"), 1, 9, "schema: found '1', wanted a whole number", None),
    (
        BASE + "job: {}\n",
        6,
        1,
        "unknown key job",
        "did you mean 'jobs'? known keys here: audit, clock_wait, disks, drill,",
    ),
    (BASE + "jobs:\n  nigthly: {}\n", 7, 3, "unknown key jobs.nigthly", "did you mean 'nightly'? known keys"),
    (
        BASE + "jobs:\n  x.y: {}\n",
        7,
        3,
        "unknown key jobs.x.y",
        "known keys here: check, drill, escrow_drill, nightly, prune, scrub,",
    ),
    (BASE + 'jobs:\n  "a\\e[1m": {}\n', 7, 3, "unknown key jobs.'a\\x1b[1m'", "known keys here"),
    (with_main("pth: /r"), 3, 10, "unknown key repositories.main.pth", "did you mean 'path'? known keys here: arch"),
    (with_main("path: /r, keep: {daly: 3}"), 3, 27, "unknown key repositories.main.keep.daly", "did you mean 'daily'?"),
    (with_main("keep: {}"), 3, 9, "key repositories.main.path is missing", "add it below repositories.main"),
    (with_main("path: r"), 3, 16, "repositories.main.path: found 'r', wanted an absolute path, or ssh://", None),
    (with_main("path: '-v:x'"), 3, 16, "repositories.main.path: found '-v:x', wanted an absolute path, or", None),
    (with_main('path: "/r\\n"'), 3, 16, "repositories.main.path: found '/r\\n', wanted an absolute path, or", None),
    (with_main("path: 5"), 3, 16, "repositories.main.path: found the number 5, wanted text", None),
    (with_main("path: /r, keep: 7"), 3, 26, "repositories.main.keep: found the number 7, wanted a mapping", None),
    (
        with_main("path: /r, keep: {daily: -1}"),
        3,
        34,
        "keep.daily: found the number -1, wanted a whole number >= 0",
        None,
    ),
    (with_main("path: /r, keep: {daily: 1.5}"), 3, 34, "keep.daily: found the number 1.5, wanted a whole number", None),
    (with_main("path: /r, keep: {daily: seven}"), 3, 34, "keep.daily: found 'seven', wanted a whole number", None),
    (
        with_main("path: /r, keep: {within: 2x}"),
        3,
        35,
        "keep.within: found '2x', wanted a number with H, d, w, m",
        None,
    ),
    (with_main("path: /r, keep: {daily: 0, weekly: 0, monthly: 0}"), 3, 26, "keep: keeps nothing: every archive", None),
    (
        with_main("path: /r, encryption: repokey-blake"),
        3,
        32,
        "found 'repokey-blake', wanted one of",
        "did you mean 'repokey-blake2'?",
    ),
    (with_main("path: /r, compression: 'zstd 3'"), 3, 33, "compression: found 'zstd 3', wanted none, lz4, zstd", None),
    (with_main("path: /r, compression: 'zstdd,99'"), 3, 33, "compression: found 'zstdd,99', wanted none, lz4,", None),
    (with_main("path: /r, archive_prefix: a-b"), 3, 36, "archive_prefix: found 'a-b', wanted letters, digits,", None),
    (
        with_main("path: /r, archive_prefix: incomplete"),
        3,
        36,
        "repositories.main.archive_prefix: 'incomplete' is what archives are named that",
        "take another word, such as backup",
    ),
    (
        with_main("path: '/r/{hostname}'"),
        3,
        16,
        "repositories.main.path: found '/r/{hostname}': borg takes braces for a placeholder",
        "write out what it stands for",
    ),
    (with_main("path: '/r::x'"), 3, 16, "repositories.main.path: found '/r::x': borg takes what follows ::", "rename"),
    (with_main("path: 'sftp://h/r'"), 3, 16, "found 'sftp://h/r': borg does not understand it", "ssh://USER@HOST"),
    (with_main("path: /r, compact_threshold: 100"), 3, 39, "found the number 100, wanted a whole number <= 99", None),
    (with_main("path: /r, size_drop_warning: 50"), 3, 39, "found the number 50, wanted a number <= 1", None),
    (
        with_main("path: /r, checkpoint_interval: 30"),
        3,
        41,
        "found the number 30, wanted a duration such as 90s,",
        None,
    ),
    (BASE.replace("[data]", "data"), 3, 29, "repositories.main.sources: found 'data', wanted a list", None),
    (
        BASE.replace("[data]", "[]"),
        3,
        29,
        "repositories.main.sources: found a list, wanted a list with at least one",
        None,
    ),
    (BASE.replace("[data]", "[data, 5]"), 3, 36, "repositories.main.sources[1]: found the number 5, wanted text", None),
    (BASE.replace("[data]", "[data, B]"), 3, 36, "sources[1]: found 'B', wanted lower-case letters, digits", None),
    (BASE.replace("[data]", "[data, data]"), 3, 36, "repositories.main.sources names 'data' twice", "remove one"),
    (
        BASE.replace("[data]", "[date]"),
        3,
        30,
        "repositories.main.sources names 'date', which is not below",
        "known sources: data",
    ),
    (BASE.replace("main:", "Main:"), 3, 3, "repositories: found the key 'Main', wanted lower-case letters,", None),
    (BASE.replace("main:", '"main\\n":'), 3, 3, "repositories: found the key 'main\\n', wanted lower-case", None),
    (BASE.replace("main:", "../etc:"), 3, 3, "repositories: found the key '../etc', wanted lower-case", None),
    (
        BASE.replace("main: {path: /r, sources: [data]}", "main:"),
        3,
        8,
        "repositories.main: found nothing, wanted a mapping",
        None,
    ),
    ("schema: 1\nrepositories: []\nsources: {}\n", 2, 15, "repositories: found a list, wanted a mapping", None),
    ("schema: 1\nrepositories: {}\nsources: {}\n", 2, 15, "no repository is configured", None),
    (
        BASE + "  more: {path: /y}\n",
        6,
        3,
        "source 'more' is in no repository: it would never be backed up",
        "add it to",
    ),
    (with_data("one_file_system: yes"), 5, 27, "sources.data.one_file_system: found 'yes', wanted true or false", None),
    (BASE.replace("{path: /x}", "{}"), 5, 9, "sources.data: needs either path (a directory) or dataset (ZFS)", None),
    (with_data("path: /x, dataset: a/b"), 5, 9, "sources.data: needs either path (a directory) or dataset", None),
    (with_data("path: /x, mount_at: /y"), 5, 9, "sources.data: mount_at and skip belong to a dataset", None),
    (with_data("dataset: a/b, skip: [a/c]"), 5, 9, "sources.data: skip names 'a/c', which is not below a/b", None),
    (with_data("dataset: -r"), 5, 19, "sources.data.dataset: found '-r', wanted a ZFS dataset: pool/name", None),
    (with_data("path: x"), 5, 16, "sources.data.path: found 'x', wanted an absolute path", None),
    (BASE + ONE_DISK.replace("by-id/a", "x"), 6, 21, "disks.one.path: found '/dev/disk/x', wanted", None),
    (BASE + ONE_DISK.replace("disk/by-id/a", "sda"), 6, 21, "disks.one.path: found '/dev/sda', wanted", None),
    (BASE + ONE_DISK + "pools: {t: {disks: [two]}}\n", 7, 21, "pools.t.disks names 'two', which is not below", "known"),
    (
        BASE + ONE_DISK + "pools:\n  t: {disks: [one]}\n  u: {disks: [one]}\n",
        *(9, 15, "disk 'one' is in pools.t and in pools.u", "`zpool status` shows which pool"),
    ),
    (
        BASE + "disks:\n  one: {path: /dev/disk/by-id/a}\n  two: {path: /dev/disk/by-id/a}\n",
        *(8, 15, "disks.two and disks.one are the same disk", "remove one"),
    ),
    (BASE + "pools:\n  t: {}\n  u: {zfs_name: t}\n", 8, 3, "pools.u and pools.t are the same ZFS pool", "remove one"),
    (
        with_data("path: /x, exclude: ['*.o']"),
        5,
        30,
        "sources.data.exclude[0]: found '*.o', wanted a pattern with its",
        None,
    ),
    (
        with_data("path: /x, exclude: ['sh:*.o', 're:(']"),
        5,
        40,
        "sources.data.exclude[1]: 're:(' is no valid pattern: missing )",
        "correct it (borg-patterns(1))",
    ),
    (
        with_data("path: /x, exclude: ['sh:[z-a]*']"),
        5,
        30,
        "sources.data.exclude[0]: 'sh:[z-a]*' is no valid pattern: bad character range z-a",
        "correct it",
    ),
    (
        with_data("path: /x, exclude: ['re:a{99999999999}']"),
        5,
        30,
        "sources.data.exclude[0]: 're:a{99999999999}' is no valid pattern: the repetition number is too large",
        "correct it",
    ),
    (with_data('path: /x, exclude: ["sh:a\\0"]'), 5, 30, "sources.data.exclude[0]: found 'sh:a\\x00', wanted a", None),
    (
        BASE + "jobs: {nightly: {schedule: 25:30}}\n",
        6,
        28,
        "jobs.nightly.schedule: found '25:30', '25' is outside 0..23",
        None,
    ),
    (
        BASE + "jobs: {nightly: {schedule: '*/2:00'}}\n",
        6,
        28,
        "jobs.nightly.schedule: found '*/2:00', '*/2' is not",
        None,
    ),
    (
        BASE + "jobs: {nightly: {schedule: 7}}\n",
        6,
        28,
        "found the number 7, wanted a systemd calendar expression such as",
        None,
    ),
    (BASE + "jobs: {nightly: {schedule: '02-30'}}\n", 6, 28, "it would never elapse", None),
    (
        BASE + "jobs: {nightly: {grace: 2 hours}}\n",
        6,
        25,
        "jobs.nightly.grace: found '2 hours', wanted a duration",
        None,
    ),
    (
        BASE + "jobs: {nightly: {grace: null}}\n",
        6,
        25,
        "jobs.nightly.grace: found nothing, wanted a duration such",
        None,
    ),
    (BASE + "jobs: {nightly: {timeout: 0s}}\n", 6, 17, "jobs.nightly: timeout is 0: the job would end before", None),
    (
        BASE + "jobs: {nightly: {schedule: null, timeout: 1x}}\n",
        6,
        43,
        "jobs.nightly.timeout: found '1x', wanted a",
        None,
    ),
    (BASE + "lock_wait: -1\n", 6, 12, "lock_wait: found the number -1, wanted a duration such as", None),
    (BASE + "log_keep: 6d\n", 6, 11, "log_keep: found 6d, wanted at least 7d: a run of several days", "keep logs for"),
    (BASE + "host: '-x'\n", 6, 7, "host: found '-x', wanted a host name", None),
    (BASE + "paths: {state: var}\n", 6, 16, "paths.state: found 'var', wanted an absolute path", None),
    (BASE + "paths: {scratch: var}\n", 6, 18, "paths.scratch: found 'var', wanted an absolute path", None),
    (BASE + "paths:\n", 6, 7, "paths: found nothing, wanted a mapping (key: value)", None),
    (BASE + "drill: {sample_bytes: 1X}\n", 6, 23, "drill.sample_bytes: found '1X', wanted a size such as 500M", None),
    (BASE + "drill: {sample_bytes: -1}\n", 6, 23, "drill.sample_bytes: found the number -1, wanted a size such", None),
    (
        BASE + "drill: {sample_files: 0}\n",
        6,
        23,
        "drill.sample_files: found the number 0, wanted a whole number >= 1",
        None,
    ),
    (BASE, 1, 1, "mail.to is missing: nobody would hear of a night that failed", "set mail.to to the address"),
    (BASE + "mail: {when: always}\n", 6, 7, "mail.to is missing: nobody would hear of a night", "or mail.when: never"),
    (BASE + "mail: {to: root}\n", 6, 12, "mail.to: found 'root', wanted a mail address such as", None),
    (BASE + "mail: {to: -Cx@y}\n", 6, 12, "mail.to: found '-Cx@y', wanted a mail address such as", None),
    (BASE + 'mail: {to: "a@b\\n"}\n', 6, 12, "mail.to: found 'a@b\\n', wanted a mail address such as", None),
    (
        BASE + "mail: {when: problem}\n",
        6,
        14,
        "mail.when: found 'problem', wanted one of always, never, problems",
        "did you mean 'problems'?",
    ),
    (BASE + "mail: {timeout: 0s}\n", 6, 7, "mail: timeout is 0: no mail could ever be sent", None),
    (BASE + "exporter: {listen: '10045'}\n", 6, 20, "exporter.listen: found '10045', wanted an address such as", None),
    (
        BASE + "exporter: {listen: '[:::1]:5'}\n",
        6,
        20,
        "exporter.listen: found '[:::1]:5', wanted an address such",
        None,
    ),
    (BASE + "audit: {fail_on: lo}\n", 6, 18, "audit.fail_on: found 'lo', wanted one of", "did you mean 'low'?"),
    (BASE + "audit: {escrow: [{nme: x}]}\n", 6, 19, "unknown key audit.escrow[0].nme", "did you mean 'name'?"),
    (
        BASE + "audit: {escrow: [{name: x, holds: [keys]}]}\n",
        6,
        36,
        "audit.escrow[0].holds[0]: found 'keys', wanted one",
        "'key'",
    ),
    (BASE + "audit: {escrow: [{name: x, valid_for: 0s}]}\n", 6, 18, "audit.escrow[0]: valid_for is 0", None),
    (BASE + "audit: {escrow: [{name: x}, {name: x}]}\n", 6, 8, "audit: escrow names the location 'x' twice", None),
    (BASE + "schema: 1\n", 6, 1, "key 'schema' is there twice (first on line 1)", "remove one of them"),
    (BASE + "paths: {state: 'x\n", 7, 1, "not valid YAML", None),
    (BASE + "host: !!str x\n", 6, 7, "tag '!!str' is not allowed", "remove the tag"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "remedy"), MISTAKES, ids=[case[3][:60] for case in MISTAKES]
)
def test_a_mistake_is_named_with_its_place(text: str, line: int, column: int, message: str, remedy: str | None) -> None:
    error = refused(text)
    assert message in error.message
    assert (error.line, error.column) == (line, column)
    assert error.message.startswith(f"config.yml:{line}:{column}: ")
    assert "\n" not in error.message
    if remedy is None:
        assert not error.remedy or "did you mean" not in error.remedy
    else:
        assert error.remedy
        assert remedy in error.remedy


def test_of_several_mistakes_below_names_the_one_that_is_reported_is_placed_right() -> None:
    text = BASE.replace("main:", "good: {path: /a, sources: [data]}\n  main:").replace(
        "path: /r", "path: /r, keep: {daily: x}"
    )
    error = refused(text)
    assert "repositories.main.keep.daily: found 'x'" in error.message
    assert error.line == 4


OWN = "paths: {state: /x/bkp, log: /x/log/borg, lock: /run/lock, scratch: /x/bkp/scratch}\n"


def test_a_directory_that_holds_bkps_own_files_is_refused_and_the_remedy_makes_it_valid() -> None:
    error = refused(BASE + OWN)
    assert "config.yml:5:16: sources.data.path: /x holds paths.state (/x/bkp), paths.log (/x/log/borg)" in error.message
    remedy = 'exclude: ["pp:/x/bkp", "pp:/x/log/borg", "pp:/x/bkp/scratch"]'
    assert error.remedy == f"{remedy}, or move them"
    accepted(with_data(f"path: /x, {remedy}") + OWN)
    accepted(with_data('path: /x, exclude: ["sh:/x/bkp", "fm:/x/log/*"]') + OWN)


@pytest.mark.parametrize("path", ["/", "/var", "/var/lib/bkp", "/var/../var/log", "/run/lock/"])
def test_the_default_places_of_bkps_own_files_are_no_exception(path: str) -> None:
    assert "bkp's own files" in refused(with_data(f"path: {path}")).message


def test_the_repository_and_borgs_cache_may_lie_in_a_source_for_borg_leaves_them_out() -> None:
    accepted(BASE.replace("path: /r,", "path: /x/r, base_dir: /x/borg,"))


@pytest.mark.parametrize(("one", "other"), [("/r", "/r/"), ("/a/r", "/a/../a/r"), ("u@h:/r", "ssh://u@h/r")])
def test_two_entries_that_would_prune_each_others_archives_are_refused(one: str, other: str) -> None:
    second = f"  other: {{path: '{other}', sources: [data]}}\n"
    two = with_main(f"path: '{one}'").replace("sources:\n", f"{second}sources:\n")
    error = refused(two)
    assert "each would prune the other's archives" in error.message
    assert error.line == 4
    accepted(two.replace("other: {", "other: {archive_prefix: b, "))


@pytest.mark.parametrize(
    "spoof", ["x` - at `$.zzz[...]", "x` - at `$.jobs", "` - at `key` in `$.repositories", "\\n - at `$[...].a`"]
)
@pytest.mark.parametrize(
    "where", [BASE + '"{}": 1\n', with_data('path: /x, "{}": 1'), with_data('path: /x, exclude: ["{}"]')]
)
def test_keys_and_values_that_imitate_the_librarys_words_break_nothing(where: str, spoof: str) -> None:
    refused(where.replace("{}", spoof, 1))


def test_every_job_works_on_every_target_of_its_kind() -> None:
    config = accepted(
        BASE.replace("sources:\n", "  b: {path: /b, sources: [data]}\nsources:\n") + "pools: {tank: {}}\n"
    )
    targets = {Kind.REPOSITORY: ("main", "b"), Kind.POOL: ("tank",), Kind.DISK: (), Kind.REPLICATION: ()}
    assert {name: config.targets(name) for name, _ in config.jobs.items()} == {
        name: targets[spec.kind] for name, spec in JOBS.items()
    }


def test_the_scratch_folder_lies_in_the_state_directory_unless_named() -> None:
    assert accepted(BASE + "paths: {state: /s}\n").paths.scratch_dir == "/s/scratch"
    assert accepted(BASE + "paths: {state: /s, scratch: /t}\n").paths.scratch_dir == "/t"


EXAMPLE = example_text()
LINES = EXAMPLE.splitlines(keepends=True)
SNIPPETS = [
    "x",
    "[",
    "{",
    ":",
    "- ",
    "null",
    "-1",
    "1e9",
    "yes",
    "\t",
    "'",
    '"',
    "\\",
    "&a ",
    "*a",
    "!!int ",
    "ü",
    "\x00",
    "9" * 40,
    "\n",
]


@st.composite
def mutated_examples(draw: st.DrawFn) -> str:
    """The shipped example with a few lines dropped, doubled, moved, or with something put into them."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case 2:
                column = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:column] + draw(st.sampled_from(SNIPPETS)) + lines[at][column:]
            case 3:
                lines[at] = lines[at].replace("#", "", 1)
            case _:
                key, colon, _ = lines[at].partition(":")
                lines[at] = f"{key}{colon} {draw(st.sampled_from(SNIPPETS))}\n"
    return "".join(lines)


@given(st.binary(max_size=200) | mutated_examples())
@example(EXAMPLE.encode("utf-16"))
@example(b"\x00" * 4096)
def test_whatever_the_bytes_the_reader_gives_a_configuration_or_one_error(content: bytes | str) -> None:
    try:
        config = parse_config(content, "config.yml")
    except ConfigError as error:
        message = error.message
    else:
        assert isinstance(config, Config)
        return
    assert message.startswith("config.yml")
    assert "\n" not in message


TWO = (
    "schema: 1\nrepositories:\n  main:\n    path: /r\n    sources: [one, two]\nsources:\n"
    "  one: {dataset: tank/data}\n  two: %s\n"
)


def test_datasets_that_overlap_in_one_repository_are_refused() -> None:
    for dataset in ("tank/data", "tank/data/below"):
        with pytest.raises(ConfigError, match="overlap") as caught:
            parse_config(TWO % f"{{dataset: {dataset}}}")
        assert caught.value.line == 5
    accepted(TWO % "{dataset: tank/data2}")


def test_sources_of_one_repository_must_agree_on_one_file_system() -> None:
    with pytest.raises(ConfigError, match="differ in one_file_system") as caught:
        accepted(TWO % "{path: /srv, one_file_system: false}")
    assert caught.value.line == 5
    accepted(TWO % "{path: /srv}")


def test_two_sources_with_one_path_are_refused_as_their_excludes_could_not_be_told_apart() -> None:
    text = (
        "schema: 1\nmail: {when: never}\nrepositories: {main: {path: /r, sources: [a, b]}}\n"
        "sources: {a: {path: /srv}, b: {path: /srv/., exclude: ['sh:**']}}\n"
    )
    with pytest.raises(ConfigError, match=r"'a' and 'b' of repositories\.main have the same path"):
        parse_config(text)
