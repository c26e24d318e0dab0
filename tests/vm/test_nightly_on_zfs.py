"""bkp-run on real ZFS: snapshots that wear the live paths, and nothing left behind whatever happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.vm.site import FILES, IN_CHILD, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vm.lab.guest import Guest
    from tests.vm.lab.pool import Pool

# Adds --list to `borg create` and keeps what borg says of each file, to count what it read again.
_LISTING_BORG = """#!/bin/bash
if [ "$1" = create ]; then
    shift
    exec /usr/bin/borg create --list "$@" 2> >(tee "$(dirname "$0")/create.log" >&2)
fi
exec /usr/bin/borg "$@"
"""


@pytest.fixture(scope="module")
def site(server: Guest, pool: Pool) -> Site:
    found = Site.on(server, pool)
    found.set_up()
    return found


@pytest.fixture(autouse=True)
def _the_usual_configuration(site: Site) -> Iterator[None]:
    """What one test configured is not the next one's, however it ended."""
    yield
    site.configure()


@pytest.mark.smoke
def test_three_nights_then_check_verify_and_drill(site: Site) -> None:
    site.guest.write(f"{site.tools}/borg-listing", _LISTING_BORG, mode=0o755)
    site.configure(repository=f"borg: {site.tools}/borg-listing")

    first = site.job("nightly")
    site.guest.run(f"echo changed > {site.tree}/file-1 && echo new > {site.tree}/child/new")
    second = site.job("nightly")
    third = site.job("nightly")
    read_again = site.guest.run(f"""jq -r 'select(.type=="file_status") | .status' {site.tools}/create.log""").lines

    assert first["result"]["archive"]["files"] == FILES + IN_CHILD
    assert second["result"]["archive"]["files"] == third["result"]["archive"]["files"] == FILES + IN_CHILD + 1
    assert all(root["present"] for root in third["result"]["archive"]["roots"])
    assert {root["dataset"] for root in third["result"]["archive"]["roots"]} == {
        site.pool.backup,
        f"{site.pool.backup}/child",
    }
    assert read_again.count("A") + read_again.count("M") <= (FILES + IN_CHILD) // 100
    assert read_again.count("U") >= (FILES + IN_CHILD) * 99 // 100
    paths = site.archived(third["result"]["archive"]["name"])
    assert f"{site.tree}/child/file-1".lstrip("/") in paths
    assert not [path for path in paths if third["run_id"] in path or ".zfs" in path]
    assert site.left_behind() == []
    for job in ("check", "verify"):
        assert site.job(job)["outcome"] == "success"
    assert site.job("drill")["result"]["matched"] == 10
    concerns = json.loads(site.bkp_run("status", "--json", check=False).stdout)["concerns"]
    assert [each["kind"] for each in concerns] == ["escrow_lapsed"], "nobody has attested anything here"


@pytest.mark.smoke
def test_the_archive_is_the_snapshot_not_the_live_tree(site: Site) -> None:
    """The tree changes while borg works, and a child is renamed: what is archived is the moment of the snapshot."""
    child, elsewhere = f"{site.pool.backup}/moving", f"{site.pool.secure}/moved"
    site.guest.script(f"zfs create {child}; echo here > {site.tree}/moving/file")
    site.guest.write(
        f"{site.tools}/borg-late",
        '#!/bin/sh\n[ "$1" = create ] && nsenter --mount=/proc/1/ns/mnt sh -c "'
        f"grep @bkp- /proc/mounts > {site.tools}/seen; grep -c @bkp- /proc/$$/mounts > {site.tools}/seen-inside;"
        f'echo late > {site.tree}/file-2; zfs rename {child} {elsewhere}"\nexec /usr/bin/borg "$@"\n',
        mode=0o755,
    )
    site.configure(repository=f"borg: {site.tools}/borg-late", sample_files=10 * (FILES + IN_CHILD))

    archive = site.job("nightly")["result"]["archive"]["name"]

    assert site.guest.run(f"zfs list -H -t snapshot -o name -r {elsewhere}").text == ""
    site.guest.run(f"zfs destroy {elsewhere}")
    assert f"{site.tree}/moving/file".lstrip("/") in site.archived(archive)
    path = f"{site.tree}/file-2".lstrip("/")
    archived = site.guest.run(f"{site.borg} extract --stdout {site.repository}::{archive} {path}").text
    assert archived == "file 2"
    assert site.guest.read(f"{site.tree}/file-2").strip() == "late"
    assert (site.guest.read(f"{site.tools}/seen"), site.guest.read(f"{site.tools}/seen-inside")) == ("", "3\n")
    # So the sample for the drill was hashed while the snapshot was mounted, too.
    drill = site.job("drill")["result"]
    assert drill["matched"] == drill["files"] > FILES


def test_every_kind_of_dataset_is_handled_and_named(site: Site) -> None:
    backup, legacy = site.pool.backup, f"{site.tools}/legacy"
    site.guest.script(
        f"""
        zfs create -o canmount=off {backup}/off
        zfs create -o mountpoint=none {backup}/none
        zfs create -o mountpoint=legacy {backup}/legacy
        mkdir -p {legacy} && mount -t zfs {backup}/legacy {legacy} && echo legacy > {legacy}/file
        zfs create {backup}/idle && echo idle > {site.tree}/idle/file && zfs unmount {backup}/idle
        zfs create -V 16M {backup}/volume
        zfs create -o mountpoint={site.tree}/foreign {site.pool.secure}/foreign
        """
    )
    try:
        record = site.job("nightly", expect=1)
    finally:
        site.guest.run(f"umount {legacy}; for d in off none legacy idle volume; do zfs destroy {backup}/$d; done")
        site.guest.run(f"zfs destroy {site.pool.secure}/foreign && rmdir {site.tree}/foreign")

    roots = {root["dataset"]: root["path"] for root in record["result"]["archive"]["roots"] if root["present"]}
    assert roots[f"{backup}/legacy"] == legacy
    assert roots[f"{backup}/idle"] == f"{site.tree}/idle"
    left_out = {each["dataset"]: each["reason"] for each in record["result"]["archive"]["left_out"]}
    assert "canmount=off" in left_out[f"{backup}/off"]
    assert "mountpoint=none" in left_out[f"{backup}/none"]
    assert "is a volume" in left_out[f"{backup}/volume"]
    (unmounted,) = [
        root["reason"] for root in record["result"]["archive"]["roots"] if root["dataset"] == f"{backup}/idle"
    ]
    assert "not mounted" in unmounted
    assert any(f"{site.tree}/foreign" in each["text"] for each in record["messages"])
    paths = site.archived(record["result"]["archive"]["name"])
    assert {f"{legacy}/file".lstrip("/"), f"{site.tree}/idle/file".lstrip("/")} <= set(paths)
    assert site.left_behind() == []


def test_children_that_come_and_go_or_have_odd_paths_take_nothing_from_the_others(site: Site) -> None:
    """What is being received, cut off, oddly mounted or destroyed is named once each; the archives are good ones."""
    backup, origin = site.pool.backup, f"{site.pool.name}/origin"
    leaving = [f"{backup}/leaving-{number}" for number in range(6)]
    coming, odd = f"{backup}/coming", {f"{backup}/tab": "ta\\tb", f"{backup}/feed": "new\\nline"}
    in_background = "> /dev/null 2>&1 < /dev/null &"
    site.guest.script(
        f"""
        for each in {" ".join(leaving)}; do zfs create $each; echo here > {site.tree}/${{each##*/}}/file; done
        {"; ".join(f'zfs create -o mountpoint="$(printf "{site.tree}/{path}")" {each}' for each, path in odd.items())}
        zfs create {origin}; head -c 3M /dev/urandom > {site.pool.path(origin)}/file; zfs snapshot {origin}@s
        zfs send {origin}@s | head -c 1M | zfs recv -s {backup}/cut || test "$(zfs list -H -o name {backup}/cut)"
        ( zfs send {origin}@s | ( head -c 1M; until test -e {site.tools}/go; do sleep 0.2; done; cat ) \
            | zfs recv {coming} ) {in_background}
        until zfs list {coming} 2> /dev/null; do sleep 0.2; done
        """
    )
    try:
        first = site.job("nightly", expect=1)
        site.guest.script(
            f"""
            touch {site.tools}/go
            until test "$(zfs get -H -o value mounted {coming})" = yes; do sleep 0.2; done
            zfs receive -A {backup}/cut
            zfs destroy -r {leaving[0]}
            ( until grep -qs '"running"' {site.record()}; do sleep 0.1; done
              for each in {" ".join(leaving[1:])}; do zfs destroy -r $each; sleep 0.1; done ) {in_background}
            """
        )
        second = site.job("nightly", expect=1)
    finally:
        site.guest.run(
            f"touch {site.tools}/go; zfs receive -A {backup}/cut; zfs destroy -r {origin};"
            f"for each in {coming} {' '.join([*odd, *leaving])}; do zfs destroy -r $each; done",
            check=False,
        )

    third = site.job("nightly", expect=1)
    nights = (first, second, third)
    names = [each["result"]["archive"]["name"] for each in nights]
    held = [{root["dataset"] for root in each["result"]["archive"]["roots"]} for each in nights]
    named = [{out["dataset"]: out["reason"] for out in each["result"]["archive"]["left_out"]} for each in nights]
    for number, record in enumerate(nights):
        assert names[number] == f"{record['host']}-{record['run_id']}"
        assert all(root["present"] for root in record["result"]["archive"]["roots"])
        said = [each["text"].partition(" is not archived: ")[0] for each in record["messages"]]
        assert sorted(said) == sorted(named[number])
        assert not held[number] & set(named[number])
    earlier = {each for each, why in named[0].items() if "is not there any more" in why}  # of another test
    assert set(named[0]) - earlier == {*odd, coming, f"{backup}/cut"}
    assert "is still being received" in named[0][coming]
    assert f"zfs receive -A {backup}/cut" in named[0][f"{backup}/cut"]
    assert all(path in named[0][each] for each, path in odd.items())
    kept = {backup, f"{backup}/child"}
    assert held[1] >= {*kept, coming}
    assert held[1] | set(named[1]) == {*kept, coming, *odd, *leaving}
    assert all("destroyed or renamed" in why for each, why in named[1].items() if each not in odd)
    assert names[0] in named[1][leaving[0]]
    assert set(named[2]) == held[1] - kept
    assert all(names[1] in why for why in named[2].values())
    assert site.left_behind() == []


def test_a_locked_dataset_fails_the_night_and_never_counts_for_retention(site: Site) -> None:
    locked, key = f"{site.pool.backup}/locked", f"{site.tools}/locked.key"
    site.guest.script(
        f"""
        echo 'another passphrase' > {key}
        zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file://{key} \\
            -o pbkdf2iters=100000 {locked}
        zfs unmount {locked} && zfs unload-key {locked}
        """
    )
    try:
        record = site.job("nightly", expect=3)
    finally:
        site.guest.run(f"zfs destroy {locked}")

    assert record["result"]["archive"]["name"].startswith("incomplete-")
    assert "locked" in record["reason"] or "locked" in json.dumps(record["messages"])
    assert [step["name"] for step in record["steps"] if step["name"] == "prune"] == []
    assert site.left_behind() == []


def test_a_repository_below_a_covered_mount_point_is_refused_and_the_fixed_path_works(site: Site) -> None:
    site.configure(dataset=site.pool.secure)
    refused = site.job("nightly", expect=3)
    assert "repository" in refused["reason"]
    assert "would cover" in refused["reason"]
    assert "mount_at" in refused["remedy"]
    assert site.left_behind() == []

    fixed = f"{site.tools}/secure"
    site.configure(dataset=site.pool.secure, source=f"mount_at: {fixed}")
    refused = site.job("nightly", expect=3)
    assert f"it would be archived into itself, as {fixed}/Borg/backup-repo" in refused["reason"]
    assert site.left_behind() == []

    site.configure(dataset=site.pool.secure, source=f"mount_at: {fixed}\nskip: [{site.pool.borg}]")
    record = site.job("nightly")
    assert f"{fixed}/backup/child/file-1".lstrip("/") in site.archived(record["result"]["archive"]["name"])
    assert site.left_behind() == []


def test_foreign_snapshots_and_runs_that_live_lose_nothing(site: Site) -> None:
    backup = site.pool.backup
    boot = site.guest.read("/proc/sys/kernel/random/boot_id").strip()
    ticks = site.guest.run("cut -d' ' -f22 /proc/1/stat").text
    host = site.guest.run(site.python, "-c", "from runner.sources.marks import host_mark; print(host_mark())").text
    marks = f"-o bkp:run=alive -o bkp:host={host} -o bkp:boot={boot} -o bkp:pid=1 -o bkp:ticks={ticks}"
    dead = f"-o bkp:run=dead -o bkp:host={host} -o bkp:boot=another -o bkp:pid=1 -o bkp:ticks={ticks}"
    site.guest.script(
        f"""
        zfs snapshot -r {backup}@bkp-foreign
        zfs snapshot -r {marks} {backup}@bkp-alive
        zfs snapshot -r {dead} {backup}@bkp-dead
        zfs hold -r bkp-dead {backup}@bkp-dead
        """
    )

    site.job("nightly")

    kept = {name.partition("@")[2] for name in site.pool.snapshots() if "@bkp-" in name}
    assert kept == {"bkp-foreign", "bkp-alive"}
    site.guest.run(f"zfs destroy -r {backup}@bkp-foreign && zfs destroy -r {backup}@bkp-alive")


@pytest.mark.once  # tests/integration damages repositories of either borg
@pytest.mark.needs("system")
def test_a_flipped_bit_is_found_by_check_and_by_drill_and_mailed(site: Site) -> None:
    """The last test of this module: it damages the repository."""
    site.serve_mail()
    site.configure(mail="problems", sample_files=10 * (FILES + IN_CHILD))  # every file is in the sample
    site.guest.run(f"head -c 8M /dev/urandom > {site.tree}/noise")
    site.job("nightly")
    # Most of the repository is the noise now, so the middle of its largest segment is inside one of the noise's chunks.
    largest = f"find {site.repository}/data -type f -printf '%s %p\\n' | sort -n | tail -n 1"
    size, segment = site.guest.run(largest).text.split(" ", 1)
    assert int(size) > 8 << 20
    flip = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2])); b = f.read(1); "
    flip += "f.seek(int(sys.argv[2])); f.write(bytes([b[0] ^ 1]))"
    site.guest.run("python3", "-c", flip, segment, str(int(size) // 2))

    checked = site.job("check", expect=3)
    assert "damaged" in checked["reason"]
    assert checked["mail"] == "sent"
    assert "alerts@example.com" in site.wait_for_mail("[bkp] FAILED: check of main on")

    drilled = site.job("drill", expect=3)
    assert drilled["mail"] == "sent"
    assert site.wait_for_mail("[bkp] FAILED: drill of main on")
    site.guest.run("systemctl stop lab-smtp.service")
