"""Pings to a service outside that notices a dead server (https://healthchecks.io/docs/http_api/, and its kin).

    ADDRESS/start    a run has begun
    ADDRESS          it ended well
    ADDRESS/fail     it did not
    ADDRESS/log      neither: another time

Nothing waits for a ping but its own time limit, and nothing fails for one. The address is a secret: it is read from a
file, and no message names it. What is sent are names of jobs and how they ended, no reasons and no paths.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bkp.errors import ExitCode, SecretFileError
from bkp.secrets import read_secret
from bkp.state.fields import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.config.watching import Heartbeat as Settings
    from bkp.state.records import Run

End = Literal["success", "fail", "log"]

_PATHS = {"start": "/start", "success": "", "fail": "/fail", "log": "/log"}
_ENDS: dict[ExitCode, End] = {
    ExitCode.SUCCESS: "success",
    ExitCode.WARNING: "success",
    ExitCode.NOT_NOW: "log",
}
_ADDRESS = re.compile(r"https?://[!-~]+")
_MAX_ANSWER = 4096  # bytes
# healthchecks answers 200 to what it does not take, too (https://healthchecks.io/docs/http_api/).
_NOT_TAKEN = {
    b"(not found)": "the service does not know the address",
    b"(rate limited)": "the service was pinged too often",
}
_REMEDY = "write the ping address alone into it, mode 0600"


class Heartbeat:
    """The pings of one job, or of the watch. `name` is None, or has no address: then nothing happens."""

    def __init__(self, settings: Settings, name: str | None) -> None:
        self._path = settings.address_files.get(name) if name is not None else None
        self._name = name
        self._limit = settings.timeout.total_seconds()
        self._begun: threading.Thread | None = None

    @property
    def pings(self) -> bool:
        """Return whether there is an address to ping."""
        return self._path is not None

    def start(self) -> None:
        """Say that it begins, in the background."""
        if self._path is not None:
            self._begun = threading.Thread(target=self._ping, args=("start", "", []), daemon=True)
            self._begun.start()

    def end(self, how: End, text: str) -> str | None:
        """Say how it ended; return why that could not be said. Takes no longer than the time limit."""
        if self._path is None:
            return None
        deadline = time.monotonic() + self._limit
        if self._begun is not None:  # a start that comes after the end would count as another run
            self._begun.join(self._limit / 2)
        found: list[str | None] = []
        thread = threading.Thread(target=self._ping, args=(how, text, found), daemon=True)
        thread.start()
        thread.join(max(0.0, deadline - time.monotonic()))
        why = found[0] if found else f"no answer within {self._limit:.0f}s"
        return f"the heartbeat of {self._name} could not be sent: {why}" if why is not None else None

    def end_runs(self, runs: Sequence[Run], code: ExitCode) -> str | None:
        """Say how runs ended; return why that could not be said. What goes on by itself has not ended well yet."""
        how = _ENDS.get(code, "fail")
        if how == "success" and any(run.outcome is Outcome.RUNNING for run in runs):
            how = "log"
        return self.end(how, "\n".join(f"{run.job} of {run.target}: {run.outcome}" for run in runs))

    def _ping(self, what: str, text: str, found: list[str | None]) -> None:
        """Send one ping, and put why it could not be sent, or None, into `found`. No text of an error is repeated."""
        import http.client
        import urllib.error
        import urllib.request

        class Refused(urllib.request.HTTPRedirectHandler):
            """Follows no redirection: the address would be told to somebody else."""

            def redirect_request(self, *_args: object, **_options: object) -> None:
                """Return no other request to make."""

        try:
            base, query, rest = read_address(str(self._path)).partition("?")
            address = base.rstrip("/") + _PATHS[what] + query + rest
            opener = urllib.request.build_opener(Refused)
            with opener.open(urllib.request.Request(address, data=text.encode()), timeout=self._limit) as answer:  # noqa: S310  # http and https only
                said = answer.read(_MAX_ANSWER)
        except SecretFileError as exc:
            found.append(exc.message)
        except urllib.error.HTTPError as exc:
            found.append(f"the service answered {exc.code}")
        except TimeoutError:
            found.append("the service took too long")
        except (OSError, ValueError, http.client.HTTPException) as exc:
            found.append(f"the service cannot be reached ({type(exc).__name__})")
        else:
            found.append(next((why for words, why in _NOT_TAKEN.items() if words in said), None))


def read_address(path: str) -> str:
    """Return the one line of a file. Raise `SecretFileError`, which never quotes it."""
    line = read_secret(Path(path), "address", form=_REMEDY, missing=_REMEDY).strip()
    if not _ADDRESS.fullmatch(line):
        raise SecretFileError(f"{path}: holds no address that begins with https:// or http://", remedy=_REMEDY)
    return line
