"""What a replication's section may say, and which configurations could not pull or would keep each other from it."""

from __future__ import annotations

import pytest

from tests.unit.core.config_support import BASE, accepted, refused

KEYS = "identity_file: /k, known_hosts: /h"
PULL = f"live: {{source: 'bkp@live:tank/data', target: tank/copy, {KEYS}}}"


def with_pulls(*sections: str, source: str = "path: /x") -> str:
    return BASE.replace("path: /x", source) + "replications:\n" + "".join(f"  {each}\n" for each in sections)


def test_a_source_is_told_apart_into_account_and_dataset() -> None:
    found = accepted(with_pulls(PULL)).replications["live"]
    assert found.remote == ("bkp", "live", "tank/data")
    assert found.remote.account == "bkp@live"
    pool = accepted(with_pulls(PULL.replace("tank/data", "tank"))).replications["live"]
    assert pool.remote.dataset == "tank"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bkp@live:tank/data", "live:tank/data", "wanted a dataset of another host"),
        ("bkp@live:tank/data", "-l@live:tank/data", "wanted a dataset of another host"),
        ("bkp@live:tank/data", "bkp@live:tank/../x", "wanted a dataset of another host"),
        ("bkp@live:tank/data", "bkp@live:tank/a@b", "wanted a dataset of another host"),
        ("bkp@live:tank/data", "bkp@live:tank//x", "wanted a dataset of another host"),
        ("bkp@live:tank/data", "bkp@li ve:tank/x", "wanted a dataset of another host"),
        ("tank/copy", "tank", "wanted a ZFS dataset below its pool"),
        ("tank/copy", "host:tank/copy", "wanted a ZFS dataset below its pool"),
        ("tank/copy", "tank/copy/", "wanted a ZFS dataset below its pool"),
        ("/k", "/k;id", "wanted an absolute path of letters"),
        ("/k", "'/k k'", "wanted an absolute path of letters"),
        ("/h", "h", "wanted an absolute path of letters"),
        ("/h", "/h, port: 0", "port: found the number 0"),
        ("/h", "/h, lag_warning: 5d", "lag_critical must be longer than lag_warning"),
    ],
)
def test_what_ssh_zfs_or_a_shell_could_take_for_something_else_is_refused(old: str, new: str, message: str) -> None:
    assert message in str(refused(with_pulls(PULL.replace(old, new))))


@pytest.mark.parametrize("target", ["tank/copy", "tank/copy/inner", "tank/copy/inner/most"])
def test_two_replications_do_not_receive_into_one_place(target: str) -> None:
    found = refused(with_pulls(PULL, PULL.replace("live:", "other:", 1).replace("tank/copy", target)))
    assert "overlap: each would undo what the other received" in str(found)
    assert "replications.other.target" in str(found)
    accepted(with_pulls(PULL, PULL.replace("live:", "other:", 1).replace("tank/copy", "tank/copy2")))


def test_a_source_above_a_replica_would_keep_it_from_receiving() -> None:
    found = refused(with_pulls(PULL, source="dataset: tank"))
    assert "sources.data.dataset: tank holds tank/copy, the target of replications.live" in str(found)
    assert "make tank/copy a source of its own" in str(found)
    accepted(with_pulls(PULL, source="dataset: tank/copy"))
    accepted(with_pulls(PULL, source="dataset: tank/copy/child"))
