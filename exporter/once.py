"""Says a lasting trouble once: when it begins, when it becomes another one, and when it is over."""

from __future__ import annotations

import logging

log = logging.getLogger("bkp-exporter")


class Once:
    """Troubles by what has them. A trouble every 15 seconds would else be 50,000 lines a day."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def trouble(self, what: str, error: BaseException, consequence: str) -> None:
        """Log the trouble with its traceback, unless it is the one that was logged last."""
        text = f"{type(error).__name__}: {error}"
        if self._said.get(what) != text:
            self._said[what] = text
            log.error("%s failed: %s", what, consequence, exc_info=error)

    def well(self, what: str) -> None:
        """Log that it works again, if it did not."""
        if self._said.pop(what, None) is not None:
            log.info("%s works again", what)
