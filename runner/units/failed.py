"""What it means that a unit failed without a word of its own, and what to do first. Pure."""

from __future__ import annotations

# systemd.exec(5), "Process exit codes": what systemd itself ends a service with that it could not start.
_STATUS = {
    "1": ("Python itself could not start, or ended in the middle", "reinstall bkp, then start the unit again"),
    "2": ("the configuration is not valid", "`bkp-run config check` says which line is wrong"),
    "200": ("its working folder is not there", "`bkp-run units install` makes what units need"),
    "203": ("its program is not there, or cannot be executed", "reinstall bkp, then `bkp-run units install`"),
    "217": ("the account it runs as is not there", "`bkp-run units install` makes it"),
    "226": ("its sandbox could not be set up: a folder is missing", "`bkp-run units install` names what is missing"),
}
_RESULT = {
    "timeout": ("it took longer than its time limit", "see what it waited for, then start it again"),
    "oom-kill": ("the kernel ended it, as memory was short", "see what else uses memory, then start it again"),
    "signal": ("a signal ended it", "see who sent it, then start it again"),
    "core-dump": ("it crashed", "report it with what the journal says"),
    "watchdog": ("it did not answer", "start it again"),
    "start-limit-hit": ("it was started too often", "`systemctl reset-failed`, then see why it fails"),
    "resources": ("systemd lacked what it takes to start it", "see the journal"),
}


def advice(result: str, status: str) -> tuple[str, str]:
    """Return what happened, and what to do first, each a clause. `result` and `status`: see systemd.exec(5)."""
    found = _RESULT.get(result) or _STATUS.get(status)
    if found is None:
        how = f"{result} {status}".strip() or "nobody knows how"
        found = (f"it ended without saying why ({how})", "read the journal")
    return found
