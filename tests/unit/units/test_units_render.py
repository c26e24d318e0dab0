"""What the units say: schedules, ends, and what each job may touch."""

import pytest

from bkp.config import parse_config
from bkp.config.values import Duration
from runner.probe.look import SECONDS
from runner.sources.dataset import BUSY_SECONDS
from runner.units.facts import UnitFacts
from runner.units.quoting import command, glob, plain, word
from runner.units.render import MARK, folders, made_at_boot, render
from tests.support.units import DATASET, FACTS, JOBS, OWN_FILES, WATCHED, a_config, settings, unit

SERVICES = [f"{each}.service" for each in JOBS]


def test_the_described_system_has_these_files() -> None:
    assert sorted(render(a_config(), FACTS)) == sorted(
        [f"systemd/system/{job}.{kind}" for job in JOBS for kind in ("service", "timer")]
        + ["systemd/system/borg-prune.service"]  # by hand only: it has no timer
        + ["systemd/system/bkp-watch.service", "systemd/system/bkp-watch.timer"]
        + ["systemd/system/bkp-exporter.service", "systemd/system/bkp-unit-failed@.service"]
        + ["sysusers.d/bkp.conf", "tmpfiles.d/bkp.conf"]
    )


def test_every_file_says_at_its_very_start_who_wrote_it_and_from_what() -> None:
    assert all(text.startswith(f"{MARK}/etc/bkp/config.yml") for text in render(a_config(), FACTS).values())


def test_the_same_configuration_gives_the_same_bytes() -> None:
    assert render(a_config(), FACTS) == render(a_config(), FACTS)


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("borg-backup", "02:30"),
        ("borg-check", "Sun 04:30"),
        ("borg-check-verify", "*-*-15 04:45"),
        ("borg-drill", "Sat 05:30"),
        ("bkp-audit", "monthly"),
    ],
)
def test_a_timer_has_the_schedule_of_the_configuration(name: str, schedule: str) -> None:
    found = settings(unit(f"{name}.timer"))
    assert found["OnCalendar"] == [schedule]
    assert found["Persistent"] == ["true"]
    assert found["RandomizedDelaySec"] == ["0"]
    assert found["WantedBy"] == ["timers.target"]


def test_a_job_that_is_run_by_hand_only_has_a_service_and_no_timer() -> None:
    names = render(a_config("jobs: {drill: {schedule: null}}\naudit: {schedule: null}\n"), FACTS)
    assert "systemd/system/borg-drill.service" in names
    assert "systemd/system/borg-drill.timer" not in names
    assert "systemd/system/bkp-audit.timer" not in names


@pytest.mark.parametrize("name", SERVICES)
def test_only_the_exit_code_0_is_success_and_nothing_skips_a_run_without_a_word(name: str) -> None:
    """bkp-run --unit ends with 0 on warnings: 1 is what a Python that cannot even start ends with."""
    found = settings(unit(name))
    assert "SuccessExitStatus" not in found
    assert not [key for key in found if key.startswith(("Condition", "Assert"))]
    assert not [value for value in found["ExecStart"] if value.startswith("-")]
    assert found["OnFailure"] == ["bkp-unit-failed@%n.service"]
    if name != "bkp-audit.service":
        assert found["ExecStart"][0].endswith(" --unit")


@pytest.mark.parametrize("name", SERVICES)
def test_sigterm_reaches_bkp_run_alone_and_leaves_it_time_to_end_borg_record_and_mail(name: str) -> None:
    found = settings(unit(name, a_config("mail: {to: root@example.com, timeout: 5m}\n")))
    assert found["KillMode"] == ["mixed"]
    borgs_grace, mail = 60, Duration(minutes=5).total_seconds()
    assert int(found["TimeoutStopSec"][0]) > borgs_grace + mail
    assert found["TimeoutStartSec"] == ["infinity"]
    assert found["OOMPolicy"] == ["continue"]


def test_each_dataset_has_time_to_be_released() -> None:
    def limit(sources: str) -> int:
        text = f"schema: 1\nrepositories: {{main: {{path: /r, sources: [a, b]}}}}\nsources: {{{sources}}}\n"
        found = settings(unit("borg-backup.service", parse_config(f"{text}mail: {{when: never}}\n")))
        return int(found["TimeoutStopSec"][0])

    one, two = limit("a: {dataset: t/a}, b: {path: /b}"), limit("a: {dataset: t/a}, b: {dataset: t/b}")
    assert two - one == BUSY_SECONDS


def test_only_a_nightly_of_datasets_may_mount() -> None:
    nightly = settings(unit("borg-backup.service"))
    assert {"CAP_SYS_ADMIN", "CAP_SYS_CHROOT"} <= set(nightly["CapabilityBoundingSet"][0].split())
    assert nightly["RestrictNamespaces"] == ["mnt"]
    assert "@mount" in nightly["SystemCallFilter"][0]
    assert nightly["DeviceAllow"] == ["/dev/zfs rw"]
    others = [settings(unit(name)) for name in SERVICES[1:]]
    plain_nightly = settings(unit("borg-backup.service", a_config(source="path: /srv")))
    for found in (*others, plain_nightly):
        assert "CAP_SYS_ADMIN" not in found["CapabilityBoundingSet"][0]
        assert found["RestrictNamespaces"] == ["yes"]
        assert "@mount" not in found["SystemCallFilter"][0]
    assert plain_nightly["PrivateDevices"] == ["yes"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_job_writes_where_the_configuration_says_and_nowhere_else(name: str) -> None:
    config = a_config("paths: {state: /var/lib/s, log: /var/log/l, lock: /run/k, scratch: /srv/scratch}\n")
    found = settings(unit(name, config, UnitFacts("/opt/bkp/bin", "/etc/bkp/config.yml")))
    assert found["ProtectSystem"] == ["strict"]
    wanted = {"/var/lib/s", "/var/log/l", "/run/k", "/tank/Secure/Borg/backup-repo"}
    wanted |= {"/root/.cache/borg", "/root/.config/borg"} | (
        {"/srv/scratch"} if name == "borg-drill.service" else set()
    )
    assert set(found["ReadWritePaths"][0].split()) == {f"-{path}" for path in wanted}


def test_the_nightly_alone_makes_folders_at_a_fixed_path() -> None:
    config = a_config(source="dataset: tank/data, mount_at: /run/bkp/data")
    for name in SERVICES:
        written = settings(unit(name, config))["ReadWritePaths"][0].split()
        assert ("-/run/bkp/data" in written) is (name == "borg-backup.service")


def test_a_remote_repository_opens_no_path_and_a_base_folder_moves_borgs_own() -> None:
    config = a_config(repository="ssh://u@h/./r")
    assert "ssh" not in settings(unit("borg-check.service", config))["ReadWritePaths"][0]
    text = "schema: 1\nrepositories: {main: {path: /r, base_dir: /srv/b, sources: [d]}}\nsources: {d: {path: /srv/d}}\n"
    text += "mail: {when: never}\n"
    written = settings(unit("borg-check.service", parse_config(text)))["ReadWritePaths"][0].split()
    assert {"-/srv/b/.cache/borg", "-/srv/b/.config/borg"} <= set(written)
    assert not [path for path in written if path.startswith("-/root")]


def test_msmtps_log_can_be_written() -> None:
    facts = UnitFacts("/opt/bkp/bin", "/etc/bkp/config.yml", mail_logs=("/var/log/msmtp.log",))
    for name in (*SERVICES, "bkp-unit-failed@.service"):
        assert "-/var/log/msmtp.log" in settings(unit(name, facts=facts))["ReadWritePaths"][0].split()


@pytest.mark.parametrize("path", ["/", "/tmp/data", "/var", "/var/tmp", "/var/tmp/x"])
def test_what_a_source_holds_is_never_replaced_by_an_empty_private_folder(path: str) -> None:
    facts = UnitFacts("/opt/bkp/bin", "/etc/bkp/config.yml")
    config = a_config(source=f"path: {path}, exclude: {OWN_FILES}")
    nightly = settings(unit("borg-backup.service", config, facts))
    assert nightly["PrivateTmp"] == ["no"]
    assert {"-/tmp", "-/var/tmp"} <= set(nightly["ReadWritePaths"][0].split())
    assert settings(unit("borg-check.service", config, facts))["PrivateTmp"] == ["yes"]


@pytest.mark.parametrize(
    ("path", "visible"), [("/", True), ("/usr", True), ("/usr/lib/modules/x", True), ("/srv", False)]
)
def test_kernel_modules_stay_visible_where_they_are_archived(path: str, visible: bool) -> None:
    found = settings(unit("borg-backup.service", a_config(source=f"path: {path}, exclude: {OWN_FILES}")))
    assert found["ProtectKernelModules"] == ["no" if visible else "yes"]


@pytest.mark.parametrize("name", SERVICES)
def test_roots_home_can_be_read_for_the_passphrase_and_borgs_cache_written(name: str) -> None:
    found = settings(unit(name))
    assert found["ProtectHome"] == ["read-only"]
    assert "-/root/.cache/borg" in found["ReadWritePaths"][0].split()


def test_only_the_drill_may_restore_owners_and_setuid_modes() -> None:
    assert "CAP_CHOWN" in settings(unit("borg-drill.service"))["CapabilityBoundingSet"][0]
    assert "RestrictSUIDSGID" not in settings(unit("borg-drill.service"))
    for name in set(SERVICES) - {"borg-drill.service"}:
        assert settings(unit(name))["RestrictSUIDSGID"] == ["yes"]
        assert "CAP_CHOWN" not in settings(unit(name))["CapabilityBoundingSet"][0]


def test_the_exporter_has_an_account_of_its_own_no_capability_and_writes_nothing() -> None:
    facts = UnitFacts("/opt/bkp/bin", "/etc/bkp/config.yml")
    found = settings(unit("bkp-exporter.service", facts=facts))
    assert (found["User"], found["Group"]) == (["bkp-exporter"], ["bkp"])
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectHome"] == ["yes"]
    assert "ReadWritePaths" not in found
    assert found["IPAddressDeny"] == ["any"]
    assert found["SocketBindAllow"] == ["tcp:10045"]


@pytest.mark.parametrize(("listen", "closed"), [("127.0.0.5:9", True), ("'[::1]:99'", True), ("0.0.0.0:99", False)])
def test_an_exporter_that_listens_to_others_is_not_closed_to_them(listen: str, closed: bool) -> None:
    found = settings(unit("bkp-exporter.service", a_config(f"exporter: {{listen: {listen}}}\n")))
    assert ("IPAddressDeny" in found) is closed
    assert ("After" in found) is not closed


def test_a_privileged_port_gets_the_one_capability_it_needs() -> None:
    found = settings(unit("bkp-exporter.service", a_config("exporter: {listen: 0.0.0.0:443}\n")))
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert "PrivateUsers" not in found


def test_liveness_of_a_recorded_run_can_be_read_by_every_program() -> None:
    for name in (*SERVICES, "bkp-exporter.service"):
        found = settings(unit(name))
        assert found["ProtectProc"] == ["default"]
        assert found.get("ProcSubset", ["all"]) == ["all"]


def test_without_mail_there_is_no_unit_that_mails() -> None:
    rendered = render(a_config("mail: {when: never}\n"), FACTS)
    assert "systemd/system/bkp-unit-failed@.service" not in rendered
    assert not [text for text in rendered.values() if "OnFailure" in text]


def test_folders_that_may_lie_on_a_later_file_system_are_not_made_at_boot() -> None:
    config = a_config("paths: {log: /tank/log, scratch: /var/scratch}\n", source=f"{DATASET}, mount_at: /run/bkp/data")
    assert {"/tank/log", "/var/scratch", "/run/bkp/data", "/root/.cache/borg"} <= set(folders(config, FACTS))
    assert "/tank/log" not in made_at_boot(config, FACTS)
    assert "d /run/bkp/data " in render(config, FACTS)["tmpfiles.d/bkp.conf"]


def test_odd_paths_are_quoted_and_specifiers_doubled() -> None:
    assert word("/srv/plain-1.2_ü") == "/srv/plain-1.2_ü"
    assert word("/srv/my data") == '"/srv/my data"'
    assert word('/a"b\\c') == '"/a\\"b\\\\c"'
    assert word("/srv/100%") == "/srv/100%%"
    assert command("/bin/x", "$HOME", "a b") == '/bin/x "$$HOME" "a b"'
    assert plain("50% \\ off") == "50%% \\\\ off"
    assert glob("/srv/a*[b]?") == '"/srv/a[*][[]b][?]"'


# ---------------------------------------------------------------- the probe


def test_without_a_pool_or_a_disk_nothing_is_probed() -> None:
    for extra, probed in (("", False), ("pools: {tank: {}}\n", True), (WATCHED, True)):
        assert ("systemd/system/bkp-probe.service" in render(a_config(extra), FACTS)) is probed
        assert ("systemd/system/bkp-probe.timer" in render(a_config(extra), FACTS)) is probed


def test_the_audit_mails_its_report_and_keeps_it_where_no_mail_is_wanted() -> None:
    assert settings(unit("bkp-audit.service"))["ExecStart"][0].endswith(" --mail")
    silent = unit("bkp-audit.service", a_config("mail: {when: never}\n"))
    assert settings(silent)["ExecStart"][0].endswith(" --keep")


def test_the_audit_begins_with_a_look_of_the_probe_where_there_is_one() -> None:
    watched = settings(unit("bkp-audit.service", a_config(WATCHED)))
    assert "bkp-probe.service" in watched["Wants"]
    assert "bkp-probe.service" in watched["After"]
    for found in (settings(unit("bkp-audit.service")), settings(unit("borg-backup.service", a_config(WATCHED)))):
        assert "bkp-probe.service" not in [*found["Wants"], *found["After"]]


def test_the_probe_opens_the_configured_disks_and_zfs_and_no_other_disk() -> None:
    found = settings(unit("bkp-probe.service", a_config(WATCHED)))
    assert found["DevicePolicy"] == ["closed"]
    disks = ["/dev/disk/by-id/ata-ONE_1 rw", "/dev/disk/by-id/nvme-TWO_2 rw"]
    assert found["DeviceAllow"] == ["/dev/zfs rw", "/dev/vcio rw", *disks]
    assert found["CapabilityBoundingSet"] == ["CAP_SYS_ADMIN CAP_SYS_RAWIO"]
    only_pools = settings(unit("bkp-probe.service", a_config("pools: {tank: {}}\n")))
    assert only_pools["CapabilityBoundingSet"] == ["CAP_SYS_ADMIN"]


def test_scrubs_and_self_tests_open_their_devices_alone_and_are_followed_by_what_may_do_both() -> None:
    config = a_config(WATCHED)
    one, two = "/dev/disk/by-id/ata-ONE_1 rw", "/dev/disk/by-id/nvme-TWO_2 rw"
    scrub = settings(unit("bkp-scrub.service", config))
    assert scrub["DeviceAllow"] == ["/dev/zfs rw", one]  # of the pool's disk it asks whether a test runs
    for kind in ("short", "long"):
        found = settings(unit(f"bkp-selftest-{kind}.service", config))
        assert found["DeviceAllow"] == ["/dev/zfs rw", one, two, "char-nvme rw"]
        assert found["ExecStart"][0].endswith(f" selftest {kind} --unit")
    follow = settings(unit("bkp-follow.service", config))
    assert follow["DeviceAllow"] == ["/dev/zfs rw", one, two, "char-nvme rw"]
    assert follow["DevicePolicy"] == ["closed"]
    assert set(follow["CapabilityBoundingSet"][0].split()) >= set(scrub["CapabilityBoundingSet"][0].split())
    timer = settings(unit("bkp-follow.timer", config))
    assert (timer["OnBootSec"], timer["OnUnitInactiveSec"]) == (["2min"], ["300s"])
    nothing = render(a_config(), FACTS)
    assert not [name for name in nothing if "scrub" in name or "selftest" in name or "follow" in name]


def test_the_probe_writes_its_observations_alone_and_has_no_network() -> None:
    config = a_config(f"paths: {{state: /srv/state}}\n{WATCHED}")
    found = settings(unit("bkp-probe.service", config))
    assert found["ReadWritePaths"] == ["-/srv/state/observed"]
    assert found["PrivateNetwork"] == ["yes"]
    assert found["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert "/srv/state/observed" in folders(config, FACTS)
    assert "/srv/state/observed" not in folders(a_config("paths: {state: /srv/state}\n"), FACTS)


def test_the_probe_sees_what_it_looks_at() -> None:
    """A hidden folder would look like a kernel without modules, or like a look that does not hang."""
    found = settings(unit("bkp-probe.service", a_config(WATCHED)))
    assert found["ProtectKernelModules"] == ["no"]
    assert found["ProtectProc"] == ["default"]
    assert "PrivateDevices" not in found


def test_a_zpool_that_hangs_neither_fails_the_probes_unit_nor_keeps_it_from_the_next_look() -> None:
    found = settings(unit("bkp-probe.service", a_config(WATCHED)))
    assert found["KillMode"] == ["process"]
    assert "OnFailure" not in found
    timer = settings(unit("bkp-probe.timer", a_config(WATCHED)))
    assert SECONDS < int(found["TimeoutStartSec"][0]) < int(timer["OnUnitActiveSec"][0].removesuffix("s")) == 300
    assert "OnCalendar" not in timer


def test_in_its_unit_the_probe_ends_with_0_where_something_cannot_be_seen() -> None:
    assert settings(unit("bkp-probe.service", a_config(WATCHED)))["ExecStart"][0].endswith(" probe --quiet --unit")


def test_a_watch_that_hangs_is_ended_and_its_failure_mailed() -> None:
    found = settings(unit("bkp-watch.service"))
    assert found["TimeoutStartSec"] == ["10min"]
    assert found["OnFailure"] == ["bkp-unit-failed@%n.service"]
    assert settings(unit("borg-backup.service"))["TimeoutStartSec"] == ["infinity"]
    assert settings(unit("bkp-watch.timer"))["OnUnitInactiveSec"] == ["900s"]
