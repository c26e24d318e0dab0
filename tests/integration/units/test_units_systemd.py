"""The rendered files before the real systemd's own judges, and the mailing unit's script with the real msmtp."""

import grp
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bkp.calendar import Schedule
from bkp.config import Config
from bkp.mail.post import outbox_of
from runner.units.facts import UnitFacts
from runner.units.render import render
from tests.support.mailbox import Mailbox, text_of
from tests.support.units import DATASET, FACTS, JOBS, OWN_FILES, PROGRAMS, WATCHED, a_config, settings, unit

# systemd-analyze security: 0 is shut in wholly, 10 not at all. Not to rise without a reason.
EXPOSURE = {
    "borg-backup": 3.4,  # mounts: CAP_SYS_ADMIN, @mount, a namespace
    "borg-check": 2.7,  # adjtimex(2), so without ProtectClock=
    "borg-check-verify": 2.7,
    "borg-drill": 2.9,  # restores owners and modes
    "bkp-audit": 2.7,  # /dev/zfs
    "bkp-watch": 2.4,
    "bkp-exporter": 1.5,
    "bkp-unit-failed@": 2.5,
    "bkp-probe": 2.2,  # CAP_SYS_ADMIN, CAP_SYS_RAWIO, disks
}
CONFIGS = {
    "datasets": a_config(),
    "pools and disks": a_config(WATCHED),
    "directories": a_config(source="path: /srv"),
    "odd paths": a_config(
        "paths: {state: '/srv/my state/100%', log: '/srv/lög'}\nexporter: {listen: '0.0.0.0:443'}\n"
        "jobs: {nightly: {schedule: 'Mon..Fri 2,14:30:15 Europe/Berlin'}, check: {schedule: null}}\n",
        source=f"{DATASET}, mount_at: '/run/bkp/my data'",
        repository="/srv/$repo \"x\" 'y'",
    ),
    "everything in sight": a_config(source=f"path: /, exclude: {OWN_FILES}"),
}
ODD = UnitFacts(PROGRAMS, "/etc/my config $x/100%.yml", mail_logs=("/var/log/ms mtp.log",))


def run(*argv: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, check=False, env=environment, timeout=120
    )


def write(folder: Path, config: Config, facts: UnitFacts = FACTS) -> dict[str, Path]:
    """Write all files below `folder`; return the units by name."""
    found = {}
    for name, text in render(config, facts).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if name.startswith("systemd/"):
            found[path.name] = path
    return found


@pytest.mark.parametrize("facts", [FACTS, ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("name", CONFIGS)
def test_systemd_accepts_every_unit_without_a_word(tmp_path: Path, name: str, facts: UnitFacts) -> None:
    units = write(tmp_path, CONFIGS[name], facts)
    names = [
        path.with_name("bkp-unit-failed@borg-backup.service") if "@" in key else path for key, path in units.items()
    ]
    done = run("systemd-analyze", "verify", "--man=no", *names)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_setting_that_systemd_does_not_know_would_be_noticed(tmp_path: Path) -> None:
    units = write(tmp_path, a_config())
    units["borg-check.service"].write_text(
        units["borg-check.service"].read_text() + "[Service]\nProtectEverything=yes\n"
    )
    done = run("systemd-analyze", "verify", "--man=no", units["borg-check.service"])
    assert "ProtectEverything" in done.stderr


@pytest.mark.parametrize(
    "schedule", ["02:30", "Sun 04:30", "*-*-15 04:45", "Mon..Fri 2,14:30:15 Europe/Berlin", "monthly"]
)
def test_a_timers_schedule_is_systemds_own_language(schedule: str) -> None:
    assert str(Schedule(schedule)) == schedule
    text = unit("borg-backup.timer", a_config(f"jobs: {{nightly: {{schedule: '{schedule}'}}}}\n"))
    assert run("systemd-analyze", "calendar", settings(text)["OnCalendar"][0]).returncode == 0


@pytest.mark.parametrize("name", EXPOSURE)
def test_no_unit_is_more_exposed_than_recorded(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, a_config(WATCHED))[f"{name}.service"]
    if name.endswith("@"):
        path = path.rename(path.with_name(f"{name}x.service"))
    done = run("systemd-analyze", "security", "--offline=yes", path)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposure is not None, done.stderr
    assert float(exposure[1]) <= EXPOSURE[name]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root folder with accounts, in which systemd's own programs made ours."""
    assert os.geteuid() == 0, "sysusers and tmpfiles give files to others: run this as root"
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text(Path("/etc", name).read_text())
    write(tmp_path / "etc", a_config(WATCHED))
    done = run("systemd-sysusers", f"--root={tmp_path}", tmp_path / "etc/sysusers.d/bkp.conf")
    assert done.returncode == 0, done.stderr
    return tmp_path


def create(root: Path) -> None:
    done = run("systemd-tmpfiles", f"--root={root}", "--create", root / "etc/tmpfiles.d/bkp.conf")
    assert (done.returncode, done.stderr) == (0, "")


def group_of(root: Path) -> int:
    lines = (root / "etc/group").read_text().splitlines()
    return next(int(line.split(":")[2]) for line in lines if line.startswith("bkp:"))


def test_the_exporters_account_is_in_the_one_group_that_reads_the_state(root: Path) -> None:
    group = next(line for line in (root / "etc/group").read_text().splitlines() if line.startswith("bkp:"))
    assert group.split(":")[3] == "bkp-exporter"
    account = next(line for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("bkp-exporter:"))
    assert account.endswith("nologin")


def test_what_root_writes_into_the_state_belongs_to_the_group_whoever_started_it(root: Path) -> None:
    from bkp.state.files import write_atomic

    create(root)
    state = root / "var/lib/bkp"
    assert (state.stat().st_mode & 0o7777, state.stat().st_gid) == (0o2750, group_of(root))
    write_atomic(state / "jobs/nightly/main/latest.json", b"{}\n")
    observed = state / "observed"
    assert (observed.stat().st_mode & 0o7777, observed.stat().st_gid) == (0o2750, group_of(root))
    for path in (state / "jobs", state / "jobs/nightly/main", state / "jobs/nightly/main/latest.json"):
        assert path.stat().st_gid == group_of(root)
        assert path.stat().st_mode & 0o040


def test_a_state_from_before_the_units_is_given_to_the_group_and_secrets_stay_roots(root: Path) -> None:
    job = root / "var/lib/bkp/jobs/nightly/main"
    job.mkdir(parents=True, mode=0o750)
    (root / "var/lib/bkp/samples").mkdir()
    for path in (job / "latest.json", root / "var/lib/bkp/history.jsonl", root / "var/lib/bkp/samples/main.json"):
        path.write_text("{}")
        path.chmod(0o600)
    create(root)
    for path in (job / "latest.json", root / "var/lib/bkp/history.jsonl"):
        assert (path.stat().st_mode & 0o7777, path.stat().st_gid) == (0o640, group_of(root))
    assert job.stat().st_mode & 0o7777 == 0o2750
    assert (root / "var/lib/bkp/samples/main.json").stat().st_mode & 0o7777 == 0o600


def test_folders_that_are_there_stay_as_they_are(root: Path) -> None:
    log = root / "var/log/borg"
    log.mkdir(parents=True)
    log.chmod(0o2755)
    os.chown(log, 0, grp.getgrnam("adm").gr_gid)
    create(root)
    assert (log.stat().st_mode & 0o7777, log.stat().st_gid) == (0o2755, grp.getgrnam("adm").gr_gid)
    assert (root / "run/lock/bkp").stat().st_mode & 0o7777 == 0o2750
    assert (root / "root/.cache/borg").is_dir()


def script_of(text: str, failed: str) -> list[str]:
    """Return the words that systemd would run: its quoting here is the shell's, and the specifiers are few."""
    words = shlex.split(settings(text)["ExecStart"][0])
    known = {"%%": "%", "%i": failed, "%H": "vault", "$$": "$"}
    return [re.sub(r"%%|%i|%H|\$\$", lambda found: known[found[0]], each) for each in words]


@pytest.fixture
def failed_unit(tmp_path: Path) -> Config:
    """A server whose bkp-run works, and one configuration file for both that and the unit."""
    (tmp_path / "lock").mkdir()
    (tmp_path / "state").mkdir()
    extra = (
        f"host: vault\npaths: {{lock: {tmp_path}/lock, state: {tmp_path}/state}}\n"
        f"mail: {{to: alerts@example.com, config: {tmp_path}/msmtprc, sender: bkp@vault.example.com}}\n"
    )
    (tmp_path / "config.yml").write_text(
        f"schema: 1\nrepositories: {{main: {{path: /r, sources: [data]}}}}\nsources: {{data: {{path: /data}}}}\n{extra}"
    )
    return a_config(extra)


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    box = Mailbox()
    box.configure(tmp_path / "msmtprc")
    box.start()
    yield box
    box.stop()


def call(config: Config, invocation: str, name: str = "borg-backup.service", *, programs: str = PROGRAMS) -> None:
    facts = UnitFacts(programs=programs, config=str(Path(config.paths.state).with_name("config.yml")))
    words = script_of(unit("bkp-unit-failed@.service", config, facts), name)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "MONITOR_INVOCATION_ID": invocation,
        "MONITOR_SERVICE_RESULT": "exit-code",
        "MONITOR_EXIT_CODE": "exited",
        "MONITOR_EXIT_STATUS": "203",
    }
    subprocess.run(words, env=environment, check=True, timeout=60)


def test_a_unit_that_failed_before_bkp_run_could_say_so_is_mailed(failed_unit: Config, mailbox: Mailbox) -> None:
    call(failed_unit, "0123456789abcdef0123456789abcdef")
    (mail,) = mailbox.messages()
    assert mail["Subject"] == "[bkp] FAILED: borg-backup.service on vault"
    assert mail["To"] == "alerts@example.com"
    for part in ("plain", "html"):
        body = text_of(mail, part)
        assert "its program is not there, or cannot be executed" in body
        assert "journalctl --unit borg-backup.service" in body


def test_where_bkp_run_cannot_start_the_shell_mails_and_keeps_what_does_not_leave(
    failed_unit: Config, mailbox: Mailbox
) -> None:
    call(failed_unit, "0123456789abcdef0123456789abcdef", programs="/nowhere")
    (mail,) = mailbox.messages()
    assert mail["Subject"] == "[bkp] FAILED: borg-backup.service on vault"
    assert (mail["To"], mail["From"]) == ("alerts@example.com", "bkp <bkp@vault.example.com>")
    assert "bkp could not mail for itself (exit-code 203)" in mail.get_content()
    mailbox.stop()
    call(failed_unit, "", programs="/nowhere")
    (kept,) = outbox_of(failed_unit).kept()
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert b"To: alerts@example.com" in kept.path.read_bytes()


def test_what_fails_every_few_minutes_is_mailed_once(failed_unit: Config, mailbox: Mailbox) -> None:
    # Neither sent nor kept: nobody has heard of it, and the next one is not held back.
    blocked = [Path(failed_unit.paths.state) / "outbox", Path(failed_unit.paths.lock) / "outbox"]
    for path in blocked:
        path.write_text("")
    mailbox.refuse = "451 not now"
    with pytest.raises(subprocess.CalledProcessError):
        call(failed_unit, "", "bkp-watch.service")
    for path in blocked:
        path.unlink()
    mailbox.refuse = None
    for name in ("bkp-watch.service", "bkp-watch.service", "bkp-follow.service", "bkp-follow.service"):
        call(failed_unit, "", name)
    assert [str(each["Subject"]).split()[2] for each in mailbox.messages()] == [
        "bkp-watch.service",
        "bkp-follow.service",
    ]
    stamp = Path(failed_unit.paths.lock) / "bkp-watch.service.mailed"
    os.utime(stamp, (0, 0))
    call(failed_unit, "", "bkp-watch.service")
    assert len(mailbox.messages()) == 3


def test_a_failure_that_bkp_run_has_mailed_is_not_mailed_again(
    tmp_path: Path, failed_unit: Config, mailbox: Mailbox
) -> None:
    (tmp_path / "lock/nightly.told").write_text("0123456789abcdef0123456789abcdef\n")
    call(failed_unit, "0123456789abcdef0123456789abcdef")
    assert mailbox.messages() == []
    call(failed_unit, "0123456789abcdef0123456789abcde0")  # another start of the same unit
    call(failed_unit, "")  # a systemd that does not say
    assert len(mailbox.messages()) == 2


def test_every_job_is_covered_by_an_exposure() -> None:
    assert set(JOBS) < set(EXPOSURE)
