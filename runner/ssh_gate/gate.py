"""bkp ssh-gate: lets a backup server pull ZFS datasets from this host by syncoid, and do nothing else.

sshd starts this file instead of what the client asked for (authorized_keys, `command=`; sshd(8)). The client's text is
in SSH_ORIGINAL_COMMAND. It never reaches a shell: it is cut into words here, compared with what the syncoid of Debian
12 (2.1.0) and 13 (2.2.0) sends, and a program is started with these words as its arguments. Whatever else comes is
refused with exit code 126 and logged (journalctl -t bkp-ssh-gate).

It needs Python 3.9 and its standard library. `bkp-run ssh-gate` on the backup server prints it.
"""

from __future__ import annotations

import binascii
import os
import re
import signal
import struct
import sys
import syslog
import zlib
from typing import NamedTuple, NoReturn, Union


class Replication(NamedTuple):
    """What may be pulled.

    Attributes:
        dataset: its name on this host.
        recursive: its children, too.
        raw: only as it lies encrypted on the disk (`zfs send -w`); otherwise only in the clear. Never both.
        own_snapshots: the beginning of the names of the snapshots that syncoid may make and destroy; empty for none.
    """

    dataset: str
    recursive: bool
    raw: bool
    own_snapshots: str


# `bkp-run ssh-gate` writes here what the backup server's configuration names.
REPLICATIONS: list[Replication] = []

REFUSED = 126
PROGRAMS = {name: ("/usr/sbin/" + name, "/sbin/" + name, "/usr/bin/" + name) for name in ("zfs", "zpool")}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

# Eleven `zfs destroy` in one command are the longest that syncoid sends; names have 255 characters at most.
LONGEST = 16384
# Words as syncoid writes them: characters without a meaning, with parts in single quotes, which may hold spaces.
_WORD = re.compile(r"(?:[A-Za-z0-9_.:/@#=,-]|'[A-Za-z0-9_.:/@#=, -]*')+|;")
_DATASET = re.compile(r"[A-Za-z][A-Za-z0-9_.: -]*(?:/[A-Za-z0-9_.:-][A-Za-z0-9_.: -]*)*")
_SNAPSHOT = re.compile(r"[A-Za-z0-9_.: -]{1,255}")
# As syncoid's getdate() writes it: 2026-11-27:01:00:00-GMT01:00.
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}:[0-9]{2}:[0-9]{2}:[0-9]{2}-GMT-?[0-9]{2}:[0-9]{2}")
_TOKEN = re.compile(r"1-[0-9a-f]{1,16}-([0-9a-f]{1,8})-([0-9a-f]{2,8192})")

# Questions about one dataset, without its name, which comes last.
_ABOUT_A_DATASET = (
    ["zfs", "get", "-H", "syncoid:sync"],
    ["zfs", "get", "-Hpd", "1", "-t", "snapshot", "guid,creation"],
    ["zfs", "get", "-Hpd", "1", "-t", "bookmark", "guid,creation"],
    ["zfs", "get", "-Hpd", "1", "type,guid,creation"],
)
_CHILDREN = ["zfs", "list", "-o", "name,origin", "-t", "filesystem,volume", "-Hr"]
_RESUME_FEATURE = ["zpool", "get", "-o", "value", "-H", "feature@extensible_dataset"]
# What syncoid would pipe a stream through. They are said not to be here, so that it sends commands without a pipe.
_NOT_HERE = ("mbuffer", "lzop", "gzip", "pigz", "zstd", "xz", "lz4")


class Refused(Exception):  # noqa: N818 # it is an answer, not an error
    """The command is not run; the reason is for the client and the log."""


class Say(NamedTuple):
    """An answer for which nothing is started."""

    code: int


class Token(NamedTuple):
    """What a resume token asks for: a snapshot by its guid, near the one that it names, and whether raw."""

    name: str
    guid: int
    raw: bool


class Run(NamedTuple):
    """Programs to be started one after the other, each with its arguments.

    `resumed` is what the only one resumes: zfs goes by the guid alone, which must be that of a snapshot of its dataset.
    """

    commands: list[list[str]]
    resumed: Token | None = None


Answer = Union[Say, Run]  # noqa: UP007 # evaluated, and Python 3.9 knows no other way


def judge(command: bytes | None, replications: list[Replication]) -> Answer:
    """Return what to do for a client's command. Raise Refused for everything that syncoid would not send."""
    parts = _cut(command)
    for part in parts:
        if part[:2] == ["zfs", "destroy"]:
            _own_snapshot(part[2:], replications)
        elif len(parts) > 1:
            raise Refused("several commands in one")
    return Run(parts) if parts[0][:2] == ["zfs", "destroy"] else _judge_one(parts[0], replications)


def _cut(command: bytes | None) -> list[list[str]]:
    """Cut into words, and at semicolons into commands. No character is let through that could mean something else."""
    if not command:
        raise Refused("no command, and there is no shell here")
    if len(command) > LONGEST:
        raise Refused("longer than what syncoid sends")
    text = command.decode("ascii", "replace")
    parts: list[list[str]] = [[]]
    place = 0
    while place < len(text):
        if text[place] == " ":
            place += 1
            continue
        word = _WORD.match(text, place)
        if word is None or (word.end() < len(text) and text[word.end()] not in " ;"):
            raise Refused("a character that syncoid does not send")
        place = word.end()
        if word.group() == ";":
            parts.append([])
        else:
            parts[-1].append(word.group().replace("'", ""))
    if not all(parts):
        raise Refused("an empty command")
    return parts


def _judge_one(words: list[str], replications: list[Replication]) -> Answer:
    if words in (["exit"], ["echo", "-n"]):  # syncoid opens a connection, and asks whether it stands
        return Say(0)
    if words[:2] == ["command", "-v"] and len(words) == 3 and words[2] in _NOT_HERE:
        return Say(1)
    if words[:-1] == _RESUME_FEATURE:
        if words[-1] not in {each.dataset.split("/")[0] for each in replications}:
            raise Refused("another pool")
    elif words[:-1] in _ABOUT_A_DATASET:
        _replication_of(words[-1], replications)
    elif words[:-1] == _CHILDREN:
        if not _replication_of(words[-1], replications).recursive:
            raise Refused("the children of this dataset are not replicated")
    elif words[:2] == ["zfs", "snapshot"]:
        _own_snapshot(words[2:], replications)
    elif words[:2] == ["zfs", "send"]:
        return Run([words], _judge_send(words[2:], replications))
    else:
        raise Refused("not a command that syncoid sends")
    return Run([words])


def _judge_send(arguments: list[str], replications: list[Replication]) -> Token | None:
    """Let a full, an incremental or a resumed stream pass, or the question for its size (`-nvP`)."""
    token = None
    raw = arguments[:1] == ["-w"]
    rest = arguments[1:] if raw else arguments
    rest = rest[1:] if rest[:1] == ["-nvP"] else rest
    if len(rest) == 2 and rest[0] == "-t":
        token = read_token(rest[1])
        replication = _snapshot_of(token.name, replications)
        if raw and not token.raw:  # zfs may pass over the option, and goes by the token
            raise Refused("an option and a resume token that say different things")
        raw = token.raw
    elif len(rest) == 1:
        replication = _snapshot_of(rest[0], replications)
    elif len(rest) == 3 and rest[0] in ("-i", "-I"):
        replication = _snapshot_of(rest[2], replications)
        if rest[0] == "-i" and "#" in rest[1]:
            bookmark = rest[1].split("#", 1)
            _snapshot_of("@".join(bookmark), replications)
        else:
            _snapshot_of(rest[1], replications)
        if rest[0] == "-I" and rest[1].split("@")[0] != rest[2].split("@")[0]:
            raise Refused("increments between two datasets")
    else:
        raise Refused("a `zfs send` that syncoid does not send")
    if raw and not replication.raw:
        raise Refused("a raw stream (-w) of a dataset that is replicated in the clear")
    if replication.raw and not raw:
        raise Refused("a stream in the clear of a dataset that is replicated raw (-w)")
    return token


def _replication_of(dataset: str, replications: list[Replication]) -> Replication:
    """Return the replication that a dataset belongs to; the innermost one, where one lies within another."""
    parts = dataset.split("/")
    if not _DATASET.fullmatch(dataset) or "." in parts or ".." in parts:
        raise Refused("not the name of a dataset")
    found = [
        each
        for each in replications
        if dataset == each.dataset or (each.recursive and dataset.startswith(each.dataset + "/"))
    ]
    if not found:
        raise Refused("a dataset that is not replicated")
    return max(found, key=lambda each: len(each.dataset))


def _snapshot_of(name: str, replications: list[Replication]) -> Replication:
    """Return the replication of a snapshot, which is named `DATASET@SNAPSHOT`."""
    dataset, at, snapshot = name.partition("@")
    if not at or not _SNAPSHOT.fullmatch(snapshot):
        raise Refused("not the name of a snapshot")
    return _replication_of(dataset, replications)


def _own_snapshot(arguments: list[str], replications: list[Replication]) -> None:
    """Let only a snapshot pass that syncoid makes itself. No list, no range: zfs-destroy(8) would know both."""
    if len(arguments) != 1:
        raise Refused("options that syncoid does not send")
    replication = _snapshot_of(arguments[0], replications)
    snapshot = arguments[0].partition("@")[2]
    beginning = replication.own_snapshots
    if not beginning or not snapshot.startswith(beginning) or not _STAMP.fullmatch(snapshot[len(beginning) :]):
        raise Refused("a snapshot that is not syncoid's own")


# -- resume tokens --------------------------------------------------------------------------------------------------
# A token holds the guid of the snapshot that it asks for: version, checksum and length of a compressed list of pairs
# (libzfs_sendrecv.c, zfs_send_resume_token_to_nvlist; nvpair.c, NV_ENCODE_NATIVE). It comes from the backup server, so
# a token that could be read in two ways is refused. Its name is no more than where zfs begins to look for the guid.

_NUMBER, _STRING, _UNPACKED_LIMIT = 8, 9, 65536
# What the token of a plain or a raw stream can hold; that of a redacted or a saved one holds more.
_PAIRS = {"toname", "toguid", "fromguid", "object", "offset", "bytes", "largeblockok", "embedok", "compressok", "rawok"}


def read_token(token: str) -> Token:
    """Return what a resume token asks for."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise Refused("not a resume token")
    try:
        reader = zlib.decompressobj()
        packed = reader.decompress(binascii.unhexlify(found.group(2)), _UNPACKED_LIMIT)
        if not reader.eof or reader.unused_data or len(packed) != int(found.group(1), 16):
            raise Refused("a resume token with a wrong length")
        pairs = _pairs(packed)
        (kind, value), (guid_kind, guid) = pairs["toname"], pairs["toguid"]
    except (zlib.error, binascii.Error, struct.error, KeyError, ValueError):
        raise Refused("a resume token that cannot be read") from None
    text, _, filler = value.partition(b"\0")
    if kind != _STRING or filler.strip(b"\0"):
        raise Refused("a resume token with an odd name")
    if guid_kind != _NUMBER or len(guid) != 8:
        raise Refused("a resume token with an odd guid")
    if not _PAIRS.issuperset(pairs):
        raise Refused("a resume token of another kind of stream")
    return Token(text.decode("ascii", "replace"), int.from_bytes(guid, "little"), "rawok" in pairs)


def _pairs(packed: bytes) -> dict[str, tuple[int, bytes]]:
    """Return the kind and the bytes of each value of a packed list."""
    if packed[:4] != b"\0\1\0\0" or len(packed) % 4:
        raise Refused("a resume token in another encoding")
    pairs: dict[str, tuple[int, bytes]] = {}
    place = 12  # the encoding, the version and the flags of the list take four bytes each
    while True:
        (size,) = struct.unpack_from("<i", packed, place)
        if size == 0 and place + 4 == len(packed):
            return pairs
        _, name_size, _, _, kind = struct.unpack_from("<ihhii", packed, place)
        begin = (16 + name_size + 7) // 8 * 8
        if name_size < 2 or size < begin or place + size > len(packed):
            raise Refused("a resume token with wrong sizes")
        name = packed[place + 16 : place + 16 + name_size - 1].decode("ascii")
        if not name.isprintable() or packed[place + 16 + name_size - 1] != 0:
            raise Refused("a resume token with an odd name")
        if name in pairs:
            raise Refused("a resume token that says a thing twice")
        pairs[name] = (kind, packed[place + begin : place + size])
        place += size


# -- the program ----------------------------------------------------------------------------------------------------


def run(answer: Answer) -> int:
    """Do what was judged. A single program takes this one's place, so that a cut connection ends it as usual."""
    if isinstance(answer, Say):
        return answer.code
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if answer.resumed is not None:
        _insist_on_guid(answer.resumed)
    argv = [[_path_of(words[0]), *words[1:]] for words in answer.commands]
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the programs would inherit that
    if len(argv) == 1:
        os.execve(argv[0][0], answer.commands[0], ENVIRONMENT)  # noqa: S606 # without a shell is the point
    codes = [os.spawnve(os.P_WAIT, each[0], each, ENVIRONMENT) for each in argv]  # noqa: S606
    return 1 if any(codes) else 0


def _insist_on_guid(token: Token) -> None:
    """Refuse a token for what is no snapshot of the dataset that it names: zfs would look for it in the whole pool."""
    dataset = token.name.partition("@")[0]
    question = ["zfs", "get", "-Hpd", "1", "-t", "snapshot", "-o", "value", "guid", dataset]
    ours, theirs = os.pipe()
    pid = os.posix_spawn(_path_of("zfs"), question, ENVIRONMENT, file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)])
    os.close(theirs)
    with os.fdopen(ours) as answer:
        known = answer.read().split()
    os.waitpid(pid, 0)
    if str(token.guid) not in known:
        raise Refused("a resume token for what is no snapshot of its dataset")


def _path_of(program: str) -> str:
    for path in PROGRAMS[program]:
        if os.access(path, os.X_OK):
            return path
    raise Refused(f"there is no {program} on this host")


def main() -> NoReturn:
    """Judge the client's command, log it, and run or refuse it."""
    command = os.environb.get(b"SSH_ORIGINAL_COMMAND")
    # What the client wrote is logged as Python would write it, so that no line feed in it begins a line of the log.
    shown = ascii(command or b"")[1:4096]
    peer = ascii(os.environ.get("SSH_CONNECTION", "").split(" ")[0])[:60]
    syslog.openlog("bkp-ssh-gate", syslog.LOG_PID, syslog.LOG_AUTH)
    try:
        answer = judge(command, REPLICATIONS)
        syslog.syslog(syslog.LOG_INFO, f"from {peer}: allowed: {shown}")
        code = run(answer)
    except Refused as reason:
        syslog.syslog(syslog.LOG_WARNING, f"from {peer}: refused, {reason}: {shown}")
        sys.stderr.write(f"bkp ssh-gate: refused: {reason}\n")
        code = REFUSED
    sys.exit(code)


if __name__ == "__main__":
    main()
