"""The wrapping keys of the backup's encryption roots (zfs-load-key(8)): which they are, and whether a copy fits.

A copy is tried with `zfs load-key -n`, which loads nothing. The fingerprint changes when the key is changed: of a
passphrase with its salt, of a raw or hex key with the file that holds it. It gives no test for a guessed passphrase.
Where that file is not there, as on a stick that is pulled out, whether the key was changed is not known. A raw or hex
key that is only typed in has nothing to tell it by: there only the dataset's guid counts.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.state.files import read_bytes
from bkp.state.reading import Readable
from bkp.tools.mounts import MOUNTINFO, mount_table
from bkp.tools.zfs import commands
from bkp.tools.zfs.client import Zfs, ZfsError, dataset_of
from bkp.zfs_health.keys import PROPERTIES, SALT, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bkp.config.model import Config
    from bkp.tools.zfs.replies import Property

MAX_KEY_FILE = 4 << 10
_ROOT = ("encryptionroot",)
_PROPERTIES = (*PROPERTIES, "keylocation")
_WRONG = "Incorrect key"


@dataclass(frozen=True)
class ZfsKey:
    """An encryption root, its guid, the form of its key (passphrase, raw, hex), and what tells the key from others.

    `fingerprint` is None where that is not known now. `properties` are ZFS's, by name.
    """

    root: str
    guid: str
    form: str
    fingerprint: str | None
    properties: Mapping[str, str] = field(repr=False)

    def fingerprint_with(self, copy: bytes) -> str:
        """Return what tells the key from others, a copy that fits at hand."""
        return self.fingerprint or fingerprint(self.properties, _digest(self.form, copy))


def backup_datasets(config: Config, mountinfo: Path = Path(MOUNTINFO)) -> list[str]:
    """Return the datasets of sources and local repositories, as far as they are there."""
    paths = [source.path for source in config.sources.values() if source.path]
    paths += [repository.path for repository in config.repositories.values() if repository.path.startswith("/")]
    found = [source.dataset for source in config.sources.values() if source.dataset]
    table = mount_table(mountinfo)
    for path in paths:
        try:
            found += [dataset] if (dataset := dataset_of(os.path.realpath(path), table)) else []
        except OSError:
            continue
    return list(dict.fromkeys(found))


def keys_of(zfs: Zfs, datasets: Iterable[str]) -> dict[str, ZfsKey]:
    """Return the keys of the datasets' encryption roots, by root. Raise `ZfsError` where they cannot be asked."""
    names = list(datasets)
    return _of_roots(zfs, zfs.properties(_ROOT, names) if names else [])


def keys_of_backup(zfs: Zfs, config: Config) -> dict[str, ZfsKey]:
    """Return the keys of all that is backed up, and of what repositories lie on. Raise as `keys_of` does."""
    names = backup_datasets(config)
    asked = zfs.properties(_ROOT, names) if names else []
    for source in config.sources.values():
        if source.dataset is not None:  # a child may have a key of its own
            below = zfs.properties(_ROOT, [source.dataset], below=True)
            skipped = tuple(f"{each}/" for each in source.skip)
            asked += [each for each in below if not f"{each.dataset}/".startswith(skipped)]
    return _of_roots(zfs, asked)


def _of_roots(zfs: Zfs, asked: Iterable[Property]) -> dict[str, ZfsKey]:
    roots = sorted({each.value for each in asked} - {"-", ""})
    if not roots:
        return {}
    try:
        properties = zfs.properties((*_PROPERTIES, SALT), roots)
    except ZfsError as exc:
        if "property" not in exc.said:  # it knows no salt; anything else must not look like another key
            raise
        properties = zfs.properties(_PROPERTIES, roots)
    values = {root: {each.name: each.value for each in properties if each.dataset == root} for root in roots}
    return {root: _key(root, of_root) for root, of_root in values.items()}


def _key(root: str, values: Mapping[str, str]) -> ZfsKey:
    form, place = values.get("keyformat", "-"), values.get("keylocation", "-")
    told: str | None
    if form in {"raw", "hex"} and place.startswith("file://"):
        reading = read_bytes(Path(place.removeprefix("file://")), MAX_KEY_FILE)
        content = reading.value if isinstance(reading, Readable) else b""
        told = fingerprint(values, _digest(form, content)) if content else None
    else:
        told = fingerprint(values)
    return ZfsKey(root, values.get("guid", "-"), form, told, values)


def _digest(form: str, key: bytes) -> str:
    """Return the hash of a raw or hex key: of 256 random bits, so it helps nobody to guess."""
    return hashlib.sha256(key.strip() if form == "hex" else key).hexdigest()


def fits(zfs: Zfs, key: ZfsKey, copy: bytes) -> bool:
    """Return whether the copy is the root's key. Raise `ZfsError` with what zfs said where it cannot tell."""
    given = copy if key.form == "raw" else copy.rstrip(b"\r\n") + b"\n"
    try:
        zfs.call(commands.try_key(key.root), f"cannot try the key of {key.root}", stdin=given)
    except ZfsError as exc:
        if _WRONG in exc.said:
            return False
        raise
    return True
