"""The lab's errors. Each message says what to do."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what was asked; the message holds the reason and the remedy."""


class GuestError(LabError):
    """A command in a guest failed or did not end within its limit."""


class WaitError(LabError):
    """A condition did not become true within its (generous) limit."""
