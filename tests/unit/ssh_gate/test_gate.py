"""The gate lets through what syncoid sends for the configured datasets, and nothing else that anybody can think of."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.ssh_gate import gate
from runner.ssh_gate.account import gate_program
from runner.ssh_gate.gate import Refused, Replication, Run, Say, Token, judge, read_token
from tests.unit.ssh_gate.token_maker import BOOLEAN, STRING, UINT64, packed, pair, string, token, wrapped

OWN = "syncoid_main_backup_"
STAMP = "2026-11-27:01:00:00-GMT00:00"
PLAIN = Replication("tank/data", recursive=True, raw=False, own_snapshots="")
RAW = Replication("tank/Secure/mail", recursive=False, raw=True, own_snapshots="")
OWNED = Replication("tank/owned", recursive=True, raw=False, own_snapshots=OWN)
ALL = [PLAIN, RAW, OWNED]

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "fixtures/syncoid"
RECORDED = [
    (path.stem, command)
    for path in sorted(FIXTURES.glob("*.json"))
    for command in json.loads(path.read_text("utf-8"))["commands"]
]


def refused(command: str | bytes, replications: list[Replication] = ALL) -> str:
    with pytest.raises(Refused) as caught:
        judge(command.encode() if isinstance(command, str) else command, replications)
    return str(caught.value)


def words(command: str, replications: list[Replication] = ALL) -> list[str]:
    answer = judge(command.encode(), replications)
    assert isinstance(answer, Run)
    (only,) = answer.commands
    return only


# -- what passes ----------------------------------------------------------------------------------------------------


def test_questions_pass_as_plain_arguments_without_their_quotes() -> None:
    assert words(" zpool get -o value -H feature@extensible_dataset 'tank'")[-1] == "tank"
    assert words("zfs get -H syncoid:sync 'tank/data/two words'") == [
        "zfs",
        "get",
        "-H",
        "syncoid:sync",
        "tank/data/two words",
    ]
    assert words("zfs list -o name,origin -t filesystem,volume -Hr 'tank/data'")[-2:] == ["-Hr", "tank/data"]


def test_streams_pass_full_incremental_from_a_bookmark_and_resumed() -> None:
    assert words(" zfs send  'tank/data'@'a b'") == ["zfs", "send", "tank/data@a b"]
    assert words(" zfs send  -I 'tank/data/x'@'a' 'tank/data/x'@'b'")[2:] == ["-I", "tank/data/x@a", "tank/data/x@b"]
    assert words("zfs send  -nvP -I 'tank/data@a' 'tank/data@b'")[2] == "-nvP"
    assert words(" zfs send  -i 'tank/data'#'mark' 'tank/data'@'b'")[3] == "tank/data#mark"
    assert words(" zfs send  -i 'tank/data/origin@a' 'tank/data/clone'@'b'")[2] == "-i"
    found = token("tank/data/x@snap")
    assert words(f"zfs send  -nvP -t {found}")[-1] == found


def test_the_probes_are_answered_and_start_nothing() -> None:
    assert judge(b"exit", ALL) == judge(b"echo -n", ALL) == Say(0)
    assert judge(b"command -v mbuffer", ALL) == judge(b"command -v lzop", ALL) == Say(1)


def test_own_snapshots_are_made_and_destroyed_where_that_is_configured() -> None:
    made = f"'tank/owned/x'@{OWN}{STAMP}"
    assert words(f"zfs snapshot {made}") == ["zfs", "snapshot", f"tank/owned/x@{OWN}{STAMP}"]
    several = judge(f" zfs destroy {made};  zfs destroy {made}".encode(), ALL)
    assert several == Run([["zfs", "destroy", f"tank/owned/x@{OWN}{STAMP}"]] * 2)
    assert judge(f" zfs destroy {made}".encode(), ALL) == Run([["zfs", "destroy", f"tank/owned/x@{OWN}{STAMP}"]])


@pytest.mark.parametrize(("release", "command"), RECORDED)
def test_every_recorded_command_passes_for_what_is_configured_and_for_nothing_else(release: str, command: str) -> None:
    recording = json.loads((FIXTURES / f"{release}.json").read_text("utf-8"))
    configured = [Replication(**each) for each in recording["replications"]]
    answer = judge(command.encode(), configured)
    # Cut by sh's own rules, the words are the same.
    if isinstance(answer, Run):
        import shlex

        parts = [part for part in command.split(";") if part.strip()]
        assert answer.commands == [shlex.split(part) for part in parts]
        refused(command, [Replication("other/data", recursive=True, raw=False, own_snapshots="")])


def test_both_releases_are_recorded() -> None:
    assert {release for release, _ in RECORDED} == {"bookworm", "trixie"}


# -- what is refused ------------------------------------------------------------------------------------------------

GOOD = "zfs get -H syncoid:sync 'tank/data'"
APPENDED = [
    ";id", "; id", " ; id ;", "&&id", "& id", "|id", " | mbuffer -q -s 128k -m 16M", "$(id)", "`id`", "\nid", "\r\nid",
    "\x00id", " >x", " <x", " 2>&1", "${IFS}id", "\\;id", " *", " ?", " ~root", " {a,b}", " !!", " (id)", "\tid",
    " \"x\"", " $'\\n'", " =id", "%id", "\u037e id", "\uff1b id", "\u2028id", "'", "''", " ''", "^", " #x",
]  # fmt: skip


@pytest.mark.parametrize("appended", APPENDED, ids=ascii)
@pytest.mark.parametrize("command", [GOOD, "exit", "echo -n", f"zfs destroy tank/owned@{OWN}{STAMP}"])
def test_nothing_can_be_hung_on_a_command_that_passes(command: str, appended: str) -> None:
    if appended == "''":  # which sh takes for nothing at all, at the end of a word
        assert judge(command.encode(), ALL) == judge((command + appended).encode(), ALL)
        return
    refused(command + appended)


@pytest.mark.parametrize("release_and_command", RECORDED, ids=lambda each: each[0])
def test_nothing_can_be_put_before_behind_or_into_a_recorded_command(release_and_command: tuple[str, str]) -> None:
    release, command = release_and_command
    recording = json.loads((FIXTURES / f"{release}.json").read_text("utf-8"))
    configured = [Replication(**each) for each in recording["replications"]]
    for odd in (";id;", "$(id)", "`id`", "\nid\n", "|id", " -F ", " -R ", " -p ", "&id&", "\x00", "\u00e9", '"', "\\"):
        refused(odd + command, configured)
        refused(command + odd, configured)
        refused(command.replace(" ", odd + " ", 1) if " " in command else command + odd, configured)


@pytest.mark.parametrize(
    "dataset",
    [
        "tank", "tank/data2", "tank/dat", "tank/data-x", "tank/Data", "tank/data/../x", "tank/data/..", "tank/data/.",
        "tank/data//x", "tank/data/", "/tank/data", "./tank/data", "tank/./data", "other/data", "tank/other",
        "tank/data@a", "tank/data#a", "tank/data,tank/other", "-r", "-", "", "tank/data tank/other", "tank/data/x@a",
        "tank/Secure/mail/child", "tank/Secure", "tank/data=x",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["zfs get -H syncoid:sync '{}'", "zfs send '{}'", "zfs send '{}'@a", "zfs snapshot '{}'@a"]
)
def test_other_datasets_are_refused_by_whatever_name(form: str, dataset: str) -> None:
    if (form, dataset) in {("zfs send '{}'", "tank/data@a"), ("zfs send '{}'", "tank/data/x@a")}:
        assert words(form.format(dataset)) == ["zfs", "send", dataset]
        return
    refused(form.format(dataset))


@pytest.mark.parametrize(
    "command", [" ", *(HERE / "other_commands.txt").read_text("utf-8").format(OWN=OWN, STAMP=STAMP).splitlines()]
)
def test_other_commands_and_other_options_are_refused(command: str) -> None:
    refused(command)


def test_raw_and_plain_never_mix() -> None:
    assert words("zfs send -w  'tank/Secure/mail'@'a'")[2] == "-w"
    assert words("zfs send -w  -nvP 'tank/Secure/mail@a'")[3] == "-nvP"
    assert "in the clear" in refused("zfs send 'tank/Secure/mail'@'a'")
    assert "replicated in the clear" in refused("zfs send -w 'tank/data'@'a'")
    assert "in the clear" in refused(f"zfs send -nvP -t {token('tank/Secure/mail@a')}")
    assert "raw" in refused(f"zfs send -t {token('tank/data@a', pair('rawok', BOOLEAN, b''))}")
    raw = token("tank/Secure/mail@a", pair("rawok", BOOLEAN, b""))
    assert words(f"zfs send -t {raw}") == ["zfs", "send", "-t", raw]
    assert words(f"zfs send -w -t {raw}")[-1] == raw
    # zfs goes by the token, whatever the option says
    assert "different things" in refused(f"zfs send -w -t {token('tank/Secure/mail@a')}")


def test_a_replication_within_another_follows_its_own_rule() -> None:
    nested = [*ALL, Replication("tank/data/secret", recursive=False, raw=True, own_snapshots="")]
    refused("zfs send tank/data/secret@a", nested)
    assert words("zfs send -w tank/data/secret@a", nested)
    refused("zfs send -w tank/data/secret/x@a", nested)


def test_no_command_a_very_long_one_and_bytes_beyond_ascii_are_refused() -> None:
    assert "no shell" in refused(b"")
    with pytest.raises(Refused, match="no shell"):
        judge(None, ALL)
    assert "longer" in refused(GOOD + " " * gate.LONGEST)
    assert "longer" in refused(b"zfs destroy " + b"a" * (1 << 20))
    for odd in (b"\xff", b"\xc3\xa9", b"\xc0\xaf", b"\x00", b"\x1b[2J", b"\xe2\x80\xae", b"\x7f"):
        assert "character" in refused(GOOD.encode() + odd)
        assert "character" in refused(b"zfs get -H syncoid:sync tank/data" + odd)


def test_a_gate_without_replications_refuses_all_that_starts_a_program() -> None:
    for command in (GOOD, "zfs send tank/data@a", "zpool get -o value -H feature@extensible_dataset tank"):
        refused(command, [])


@given(st.one_of(st.binary(max_size=60), st.text(alphabet="zfsend tank/d@'-;wI#%,. ", max_size=60).map(str.encode)))
@example(b"zfs send tank/data@a")
def test_whatever_passes_names_a_configured_dataset_and_has_only_known_words(command: bytes) -> None:
    try:
        answer = judge(command, ALL)
    except Refused:
        return
    if isinstance(answer, Run):
        for each in answer.commands:
            assert each[0] in {"zfs", "zpool"}
            assert any(each[-1].startswith(one.dataset) for one in ALL) or each[-1] == "tank"


# -- resume tokens --------------------------------------------------------------------------------------------------


def test_a_token_is_read_as_zfs_reads_it() -> None:
    assert read_token(token("tank/data@a")) == Token("tank/data@a", 77, raw=False)
    assert read_token(token("tank/data@a", pair("rawok", BOOLEAN, b""))) == Token("tank/data@a", 77, raw=True)


def test_a_token_for_another_dataset_is_refused() -> None:
    for name in (
        "tank/other@a",
        "tank/data2@a",
        "tank/data/../x@a",
        "tank@a",
        "tank/data",
        "tank/data@a\ntank/x@b",
        "é@a",
    ):
        refused(f"zfs send -t {token(name)}")


@pytest.mark.parametrize(
    "odd",
    [
        wrapped(packed(pair("toname", STRING, string("tank/data@a")), pair("toname", STRING, string("tank/other@a")))),
        wrapped(packed(pair("toname", STRING, b"tank/data@a\0tank/other@a\0"))),
        wrapped(packed(pair("toname", UINT64, b"12345678"))),
        wrapped(packed(pair("name", STRING, string("tank/data@a")))),
        wrapped(packed(pair("toname", STRING, string("tank/data@a")))),
        wrapped(packed(pair("toname", STRING, string("tank/data@a")), pair("toguid", STRING, b"1234567\0"))),
        wrapped(packed(pair("toname", STRING, string("tank/data@a")), pair("toguid", UINT64, b"1" * 16))),
        token("tank/data@a", pair("savedok", BOOLEAN, b"")),
        token("tank/data@a", pair("redact_snaps", UINT64, b"1" * 8)),
        wrapped(packed(pair("toname", STRING, string("tank/data@a"))), length=8),
        wrapped(packed(pair("toname", STRING, string("tank/data@a"))), after=b"more"),
        wrapped(packed(pair("toname", STRING, string("tank/data@a"))) + b"\0" * 4),
        wrapped(b"\0\0\0\0" + packed(pair("toname", STRING, string("tank/data@a")))[4:]),
        wrapped(b"\0\1\0\0"), wrapped(b""), wrapped(b"\0" * (1 << 20)),
        *(wrapped(packed(size * 5)) for size in (b"\xff\xff\xff\x7f", b"\x08\0\0\0", b"\xf0\xff\xff\xff")),
        "1-1-10-zz", "2" + token("tank/data@a")[1:], token("tank/data@a")[:-2], token("tank/data@a").upper(), "1-1-1-",
        "-",
        "1-1-5-78", "1-1-5-788",
    ],
    ids=range(27),
)  # fmt: skip
def test_a_token_that_could_be_read_in_two_ways_is_refused(odd: str) -> None:
    assert "token" in refused(f"zfs send -t {odd}")


@given(st.binary(max_size=200))
def test_any_content_of_a_token_is_read_or_refused(content: bytes) -> None:
    for made in (wrapped(content), wrapped(packed(content))):
        try:
            read_token(made)
        except Refused:
            continue


# -- the program ----------------------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The gate as it is copied, with programs beside it that tell their arguments and environment."""
    text = gate_program((PLAIN, OWNED)).replace('"/usr/sbin/"', repr(f"{tmp_path}/"))
    path = tmp_path / "ssh-gate.py"
    path.write_text(text, "utf-8")
    zfs = tmp_path / "zfs"
    guids = '[ "$1" != get ] || { [ "$9" != tank/data ] || printf "%s\\n" 76 77; exit; }\n'
    tell = 'env >> "${0%/*}/env"\nprintf "<%s>" "$@"\necho\ncat\n[ "$1" != destroy ]\n'
    zfs.write_text(f"#!/bin/sh\n{guids}{tell}", "utf-8")
    zfs.chmod(0o755)
    return path


def call(program: Path, command: bytes | None, **environment: str) -> subprocess.CompletedProcess[bytes]:
    given_environment: dict[bytes, bytes] = {os.fsencode(key): os.fsencode(value) for key, value in environment.items()}
    if command is not None:
        given_environment[b"SSH_ORIGINAL_COMMAND"] = command
    return subprocess.run(
        [sys.executable, "-I", "-S", program], env=given_environment, input=b"typed", capture_output=True, check=False
    )


def test_the_copied_gate_runs_what_passes_with_a_clean_environment_and_no_input(program: Path) -> None:
    done = call(
        program, b"zfs send 'tank/data'@'a b'", LC_ALL="xx", LD_LIBRARY_PATH="/tmp/x", ZFS_COLOR="1", PATH="/tmp/x"
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"<send><tank/data@a b>\n", b"")
    names = {line.split("=")[0] for line in (program.parent / "env").read_text("utf-8").splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "LC_ALL"}


def test_the_copied_gate_answers_probes_and_refuses_the_rest_with_its_own_code_and_words(program: Path) -> None:
    assert call(program, b"echo -n").returncode == 0
    assert call(program, b"command -v mbuffer").returncode == 1
    for command in (b"id", b"id\nzfs send tank/data@a", b"zfs send -R tank/data@a", b"\xff\xfe", None):
        done = call(program, command)
        assert (done.returncode, done.stdout) == (126, b"")
        assert re.fullmatch(rb"bkp ssh-gate: refused: [ -~]+\n", done.stderr)
    assert not (program.parent / "env").exists()


def test_the_copied_gate_runs_each_destroy_and_says_that_one_failed(program: Path) -> None:
    one = f" zfs destroy 'tank/owned'@{OWN}{STAMP}"
    done = call(program, f"{one}; {one}".encode())
    assert (done.returncode, done.stdout.count(b"<destroy>")) == (1, 2)


def test_the_copied_gate_resumes_only_a_snapshot_of_the_dataset_that_the_token_names(program: Path) -> None:
    """To zfs the name is where it begins to look for the guid: then it looks above it, in the whole pool."""
    good, elsewhere = token("tank/data@a"), token("tank/data/x@a")
    done = call(program, f"zfs send -t {good}".encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, f"<send><-t><{good}>\n".encode(), b"")
    for option in ("", "-nvP "):
        done = call(program, f"zfs send {option}-t {elsewhere}".encode())
        assert (done.returncode, done.stdout) == (126, b"")
        assert b"no snapshot of its dataset" in done.stderr


def test_the_copied_gate_says_when_zfs_is_not_there(program: Path) -> None:
    (program.parent / "zfs").unlink()
    done = call(program, GOOD.encode())
    assert done.returncode == 126
    assert b"there is no zfs on this host" in done.stderr


def test_the_gate_is_one_file_of_the_standard_library_for_python_3_9_and_starts_no_shell() -> None:
    text = Path(gate.__file__).read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    } | {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & {"os.system", "os.popen", "eval", "exec"}
    assert not imported & {"subprocess", "pty", "shlex", "ctypes"}
