"""Facts of what of the backup lies on ZFS, asked when the audit runs."""

from __future__ import annotations

from auditor.catalogue.entries.form import Field, T, space

_LOADED = ("available", "unavailable", "none")
_ORIGINS: dict[str, object] = {"values": ("local", "inherited", "received", "default", "temporary", "none")}

_PROPERTIES: tuple[Field, ...] = (
    ("compression", T.TEXT, "compression of new blocks"),
    ("compression_source", T.TEXT, "where that value comes from", _ORIGINS),
    ("atime", T.TEXT, "whether reading a file writes its access time", {"values": ("on", "off")}),
    ("atime_source", T.TEXT, "where that value comes from; temporary: a mount option", _ORIGINS),
    ("recordsize", T.INTEGER, "largest block of files written from now on", {"unit": "bytes"}),
    ("recordsize_source", T.TEXT, "where that value comes from", _ORIGINS),
)

ENTRIES = (
    space(
        "zfs",
        "What of the backup lies on ZFS.",
        "the configuration, mountinfo (proc(5)), zfs list",
        ("installed", T.BOOLEAN, "whether the program zfs is there", {"said": "zfs is installed"}),
        ("source_datasets", T.TEXT_LIST, "datasets that sources are, or lie on"),
        ("encryption_roots", T.TEXT_LIST, "datasets whose keys unlock what of the backup is encrypted"),
        ("repository_datasets", T.TEXT_LIST, "datasets in which a repository of this machine lies"),
    ),
    space(
        "zfs.dataset",
        "Each ZFS file system of the backup: every source with what is below it, and what holds a repository.",
        "zfs get",
        ("name", T.TEXT, "its name"),
        ("pool", T.TEXT, "the pool it is in"),
        ("sources", T.TEXT_LIST, "names of the configured sources that read it"),
        ("repositories", T.TEXT_LIST, "names of the repositories that lie on it"),
        ("mounted", T.BOOLEAN, "whether it is mounted"),
        ("encryption", T.TEXT, "cipher, or `off`; the set of ciphers is open", {"said": "encryption"}),
        ("encryption_root", T.TEXT, "the dataset whose key unlocks it"),
        (
            "open_parents",
            T.TEXT_LIST,
            "datasets between it and its pool that are not encrypted: what is made anew in its place would be open",
            {"said": "datasets above it that are not encrypted"},
        ),
        (
            "key_status",
            T.TEXT,
            "whether its key is loaded; `none` where it is not encrypted",
            {"values": _LOADED, "said": "its key"},
        ),
        ("key_location", T.TEXT, "kind of place its encryption root's key is loaded from: prompt, file, https, none"),
        *_PROPERTIES,
        instance="a dataset, by its name",
    ),
    space(
        "zfs.key",
        "Each key that unlocks datasets of the backup.",
        "zfs get",
        ("guid", T.TEXT, "guid of the encryption root"),
        ("form", T.TEXT, "how the key is given: passphrase, raw or hex"),
        ("fingerprint", T.FINGERPRINT, "what changes when the key is changed; it helps nobody to guess it"),
        instance="an encryption root, by its name",
    ),
    space(
        "zfs.escrow",
        "What each place outside this server must hold of the ZFS keys.",
        "the configuration, zfs get",
        ("location", T.TEXT, "name of the place"),
        ("holds_zfs_key", T.BOOLEAN, "whether it is to hold the ZFS key"),
        ("root_guid", T.TEXT, "guid of the encryption root"),
        ("key_fingerprint", T.FINGERPRINT, "fingerprint of the root's key now"),
        instance="a place and an encryption root, LOCATION.ROOT",
    ),
    space(
        "zfs.pool",
        "Each pool that holds one of these datasets.",
        "zpool list, zpool status",
        ("name", T.TEXT, "its name"),
        ("health", T.TEXT, "ONLINE, DEGRADED, FAULTED, SUSPENDED and others; the set is open"),
        ("readonly", T.BOOLEAN, "whether it was imported read-only"),
        ("size_bytes", T.INTEGER, "size of all its devices, parity included", {"unit": "bytes"}),
        ("free_bytes", T.INTEGER, "what of that is not allocated", {"unit": "bytes", "said": "free space"}),
        ("capacity", T.INTEGER, "share that is allocated", {"unit": "percent", "said": "share in use"}),
        ("read_errors", T.INTEGER, "most read errors of one of its devices since `zpool clear`", {"unit": "errors"}),
        ("write_errors", T.INTEGER, "the same of write errors", {"unit": "errors"}),
        ("checksum_errors", T.INTEGER, "the same of checksum errors", {"unit": "errors"}),
        (
            "data_errors",
            T.INTEGER,
            "errors that ZFS could not repair",
            {"unit": "errors", "said": "errors that ZFS could not repair"},
        ),
        instance="a pool, by its name",
    ),
)
