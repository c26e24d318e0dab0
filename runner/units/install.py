"""Unit files on disk: compared, written whole or not at all, and only where nobody else's file is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bkp.errors import StateError, UsageError
from bkp.state.files import read_bytes, write_atomic
from bkp.state.reading import Missing, Readable
from runner.units.render import MARK, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

State = Literal["created", "changed", "unchanged", "removed"]


@dataclass(frozen=True)
class Difference:
    """One file: what is there (`before`), and what is to be (`after`); None is no file."""

    path: Path
    before: str | None
    after: str | None

    @property
    def state(self) -> State:
        """Return what installing does to it."""
        if self.after is None:
            return "removed"
        if self.before is None:
            return "created"
        return "unchanged" if self.before == self.after else "changed"


def base_of(folder: Path) -> Path:
    """Return the folder above `systemd/system`, where sysusers.d and tmpfiles.d lie, too (/etc, /run, /usr/lib)."""
    folder = folder.absolute()
    if folder.parts[-2:] != ("systemd", "system"):
        raise UsageError(
            f"--dir {folder}: sysusers.d and tmpfiles.d are installed beside it, so it must end in systemd/system",
            remedy="as in /etc/systemd/system",
        )
    return folder.parent.parent


def compare(rendered: Mapping[str, str], base: Path) -> list[Difference]:
    """Return every file of ours below `base`, wanted or stale. Raise `UsageError` for one that is not ours."""
    found = [Difference(base / name, _installed(base / name), text) for name, text in rendered.items()]
    wanted = {each.path for each in found}
    others = (path for path in sorted((base / UNITS).glob("*.*")) if path not in wanted)
    stale = ((path, _ours(path)) for path in others if path.suffix in {".service", ".timer"})
    return found + [Difference(path, text, None) for path, text in stale if text is not None]


def enabled_before(differences: Iterable[Difference]) -> list[str]:
    """Return the timers that go, which are to be disabled.

    Nothing else that goes was ever enabled: systemctl refuses a template, and a service at work ends by itself.
    """
    return [each.path.name for each in differences if each.state == "removed" and each.path.suffix == ".timer"]


def _installed(path: Path) -> str | None:
    reading = read_bytes(path)
    if isinstance(reading, Missing):
        return None
    text = _ours(path)
    if text is None:
        why = "was not written by bkp-run" if isinstance(reading, Readable) else reading.reason
        raise UsageError(f"{path} {why}: it is left alone, and nothing was installed", remedy="move it away first")
    return text


def _ours(path: Path) -> str | None:
    reading = read_bytes(path)
    if not isinstance(reading, Readable):
        return None
    text = reading.value.decode("utf-8", "replace")
    return text if text.startswith(MARK) else None


def apply(differences: list[Difference]) -> Iterator[Difference]:
    """Make the files what they are to be, and yield each one that is.

    Raise `UsageError` where one cannot be written; repeating is safe.
    """
    for each in differences:
        try:
            if each.after is None:
                each.path.unlink(missing_ok=True)
            elif each.state != "unchanged":
                each.path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(each.path, each.after.encode(), mode=0o644)
        except (OSError, StateError) as exc:
            cause = exc.__cause__ if isinstance(exc, StateError) else exc
            why = cause.strerror if isinstance(cause, OSError) else str(exc)
            raise UsageError(f"cannot write {each.path}: {why}", remedy="run it as root, or name a --dir") from exc
        yield each
