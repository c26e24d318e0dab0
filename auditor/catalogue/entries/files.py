"""Facts of files and folders whose permissions matter."""

from __future__ import annotations

from auditor.catalogue.entries.form import Field, T, space

_KINDS = ("regular file", "folder", "symbolic link", "other")

_PERMISSIONS: tuple[Field, ...] = (
    ("exists", T.BOOLEAN, "whether there is anything at its path", {"said": "there"}),
    ("kind", T.TEXT, "what it is, a symbolic link not followed", {"values": _KINDS, "said": "what it is"}),
    ("mode", T.MODE, "permission bits", {"said": "permissions"}),
    ("uid", T.INTEGER, "numeric owner", {"said": "owner"}),
    ("gid", T.INTEGER, "numeric group", {"said": "group"}),
    (
        "owner_trusted",
        T.BOOLEAN,
        "whether the owner is root or the account that runs the audit",
        {"said": "owned by root or the account of the audit"},
    ),
    (
        "acl",
        T.BOOLEAN,
        "whether a POSIX access control list lies over the mode, or is given to what is made in it",
        {"said": "access control list over it"},
    ),
    (
        "weak_hops",
        T.TEXT_LIST,
        "folders and links on the way to it through which somebody else could replace it",
        {"said": "ways to replace it from above"},
    ),
    ("path", T.TEXT, "its absolute path", {"private": True}),
)

_FILE_ROLES = (
    "passphrase",
    "key export",
    "keyfile",
    "configuration",
    "mail configuration",
    "heartbeat",
    "pull key",
    "host key",
    "program",
    "attestations",
    "waivers",
    "history",
)
_FOLDER_ROLES = ("repository", "state", "log", "scratch", "lock", "borg base", "rules", "program")

ENTRIES = (
    space(
        "file",
        "Files whose permissions matter.",
        "lstat(2) of the file and of every folder above it",
        ("role", T.TEXT, "what the file is for", {"values": _FILE_ROLES}),
        *_PERMISSIONS,
        (
            "links",
            T.INTEGER,
            "names it has: hard links, itself among them",
            {"unit": "names", "said": "names (hard links)"},
        ),
        instance="a file, named by the repository and its role",
    ),
    space(
        "dir",
        "Folders whose permissions matter.",
        "lstat(2) of the folder and of every folder above it",
        ("role", T.TEXT, "what the folder is for", {"values": _FOLDER_ROLES}),
        *_PERMISSIONS,
        (
            "weak_inside",
            T.TEXT_LIST,
            "what somebody else could change below it, by reason and count",
            {"said": "what somebody else could change inside it"},
        ),
        instance="a folder, named by the repository or its role",
    ),
)
