"""What a fact is declared to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Value = str | int | float | bool | datetime | tuple[str, ...]


class FactType(StrEnum):
    """The type of a fact's value. Operators and values of rules are checked against it when a rule is read."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    DURATION = "duration"
    MODE = "mode"
    FINGERPRINT = "fingerprint"
    TEXT_LIST = "list of text"


TYPE_FORMS = {
    FactType.TEXT: "text",
    FactType.INTEGER: "a whole number",
    FactType.NUMBER: "a number",
    FactType.BOOLEAN: "true or false",
    FactType.TIME: "a UTC time such as 2026-01-31T02:30:00Z",
    FactType.DURATION: "a number of seconds",
    FactType.MODE: 'a mode in quotes, four octal digits: "0600"',
    FactType.FINGERPRINT: "64 hexadecimal digits",
    FactType.TEXT_LIST: "a list of text",
}


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact of the catalogue. `values` closes a text's vocabulary; a `private` value never enters a report.

    `said` is what reports call it; where it is None, the words of its name.
    """

    name: str
    type: FactType
    doc: str
    unit: str | None = None
    values: tuple[str, ...] = ()
    private: bool = False
    said: str | None = None

    @property
    def words(self) -> str:
        """Return what reports call it."""
        return self.said or self.name.rpartition(".")[2].removesuffix("_at").replace("_", " ")


@dataclass(frozen=True, slots=True)
class Namespace:
    """A group of facts. `instance` says what one member is (a repository, a job on a target); None: there is one."""

    name: str
    doc: str
    source: str
    fields: dict[str, FactSpec]
    instance: str | None = None
