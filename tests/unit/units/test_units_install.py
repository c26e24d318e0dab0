"""Units on disk: what is written, what is left alone."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bkp.errors import BkpError, UsageError
from runner.units.facts import host_facts
from runner.units.install import apply, base_of, compare, enabled_before
from runner.units.render import MARK, render
from tests.support.units import FACTS, a_config


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "systemd/system").mkdir(parents=True)
    return tmp_path


def states(rendered: dict[str, str], base: Path) -> set[str]:
    return {each.state for each in compare(rendered, base)}


def test_files_are_created_then_unchanged_then_changed(base: Path) -> None:
    rendered = render(a_config(), FACTS)
    assert states(rendered, base) == {"created"}
    list(apply(compare(rendered, base)))
    assert {path: (base / path).read_text() for path in rendered} == rendered
    assert states(rendered, base) == {"unchanged"}
    later = render(a_config("jobs: {nightly: {schedule: '03:00'}}\n"), FACTS)
    changed = [each.path.name for each in compare(later, base) if each.state == "changed"]
    assert changed == ["borg-backup.timer"]


def test_installing_twice_touches_nothing_the_second_time(base: Path) -> None:
    rendered = render(a_config(), FACTS)
    list(apply(compare(rendered, base)))
    before = {path: (base / path).stat().st_ino for path in rendered}
    list(apply(compare(rendered, base)))
    assert {path: (base / path).stat().st_ino for path in rendered} == before


def test_files_are_for_everyone_to_read_and_no_temporary_one_is_left(base: Path) -> None:
    rendered = render(a_config(), FACTS)
    list(apply(compare(rendered, base)))
    found = {str(path.relative_to(base)): path.stat().st_mode & 0o777 for path in base.rglob("*") if path.is_file()}
    assert found == dict.fromkeys(rendered, 0o644)
    assert (base / "sysusers.d").stat().st_mode & 0o777 == 0o755


def test_own_units_that_are_wanted_no_more_are_removed_and_others_never(base: Path) -> None:
    list(apply(compare(render(a_config(), FACTS), base)))
    foreign = base / "systemd/system/other.timer"
    foreign.write_text("[Timer]\nOnCalendar=daily\n")
    rendered = render(a_config("jobs: {drill: {schedule: null}}\n"), FACTS)
    removed = [each for each in compare(rendered, base) if each.state == "removed"]
    assert [each.path.name for each in removed] == ["borg-drill.timer"]
    list(apply(removed))
    assert not removed[0].path.exists()
    assert foreign.exists()


@pytest.mark.parametrize("kind", ["text", "link", "masked", "folder", "binary"])
def test_a_file_that_is_not_ours_stops_everything_and_is_left_alone(base: Path, kind: str) -> None:
    path = base / "systemd/system/borg-backup.timer"
    if kind == "text":
        path.write_text(f"[Timer]\n{MARK}\n")
    elif kind == "binary":
        path.write_bytes(b"\xff\x00")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null" if kind == "masked" else base / "elsewhere")
    with pytest.raises(UsageError, match=r"borg-backup\.timer .*left alone, and nothing was installed"):
        compare(render(a_config(), FACTS), base)
    assert path.is_symlink() or path.exists()
    assert [each.name for each in (base / "systemd/system").iterdir()] == ["borg-backup.timer"]


def test_a_folder_that_is_no_unit_folder_is_refused() -> None:
    assert base_of(Path("/usr/lib/systemd/system")) == Path("/usr/lib")
    with pytest.raises(UsageError, match="must end in systemd/system"):
        base_of(Path("/etc/systemd"))


def test_msmtps_log_files_are_found_in_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_text('defaults\nlogfile ~/.msmtp.log\naccount a\n logfile "/var/log/m.log"\nlogfile -\n#logfile /no\n')
    config = a_config(f"mail: {{to: root@example.com, config: {path}}}\n")
    facts = host_facts(Path("c.yml"), config.mail)
    assert facts.mail_logs == ("/root/.msmtp.log", "/var/log/m.log")
    assert facts.config == str(Path("c.yml").absolute())


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(
        "schema: 1\nrepositories: {main: {path: /r, sources: [d]}}\nsources: {d: {path: /srv}}\n"
        "mail: {to: root@example.com}\n"
    )
    return path


def call(config: Path, *arguments: str) -> tuple[int, str]:
    from runner.commands.units import units_group

    result = CliRunner().invoke(units_group, arguments, obj=config, standalone_mode=False)
    if isinstance(result.exception, BkpError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None, result.exception
    return result.return_value or 0, result.output


def test_show_prints_one_file_as_it_would_be_installed_or_all(config_file: Path) -> None:
    assert call(config_file, "show", "borg-check.timer")[1].startswith(MARK)
    everything = call(config_file, "show")[1]
    assert all(name in everything for name in ("# ---- borg-backup.service", "# ---- sysusers.d/bkp.conf"))
    code, said = call(config_file, "show", "nothing.timer")
    assert code == 2
    assert "borg-backup.service" in said


def test_diff_ends_with_1_until_all_is_installed_and_says_what_differs(config_file: Path, base: Path) -> None:
    folder = ("--dir", str(base / "systemd/system"))
    assert call(config_file, "diff", *folder)[0] == 1
    code, said = call(config_file, "install", "--dry-run", *folder)
    assert code == 0
    assert "created" in said
    assert not list((base / "systemd/system").iterdir())
    assert call(config_file, "install", "--no-reload", *folder)[0] == 0
    assert call(config_file, "diff", *folder)[0] == 0
    timer = base / "systemd/system/borg-backup.timer"
    timer.write_text(timer.read_text().replace("02:30", "12:00"))
    code, said = call(config_file, "diff", *folder)
    assert code == 1
    assert "-OnCalendar=12:00\n+OnCalendar=02:30\n" in said


def test_only_what_was_done_is_printed(config_file: Path, base: Path) -> None:
    folder = ("--no-reload", "--dir", str(base / "systemd/system"))
    assert call(config_file, "install", *folder)[0] == 0
    config_file.write_text(config_file.read_text().replace("{to: root@example.com}", "{when: never}"))
    (base / "sysusers.d" / "bkp.conf").unlink()
    (base / "sysusers.d").rmdir()
    (base / "sysusers.d").symlink_to("/proc")
    from runner.commands.units import units_group

    result = CliRunner().invoke(units_group, ["install", *folder], obj=config_file, standalone_mode=False)
    assert isinstance(result.exception, UsageError)
    assert "sysusers.d" not in result.output
    assert "bkp-unit-failed@.service" not in result.output
    assert (base / "systemd/system/bkp-unit-failed@.service").exists()


def test_a_template_that_goes_is_not_disabled_but_removed(base: Path) -> None:
    list(apply(compare(render(a_config(), FACTS), base)))
    later = a_config("jobs: {drill: {schedule: null}}\nmail: {when: never}\n")
    differences = compare(render(later, FACTS), base)
    gone = {each.path.name for each in differences if each.state == "removed"}
    assert gone == {"bkp-unit-failed@.service", "borg-drill.timer"}
    assert enabled_before(differences) == ["borg-drill.timer"]


def test_what_a_unit_would_miss_is_said_when_it_is_installed(config_file: Path, base: Path) -> None:
    config_file.write_text(config_file.read_text() + "paths: {log: /nowhere/log}\n")
    config_file.chmod(0o600)
    said = call(config_file, "install", "--no-reload", "--dir", str(base / "systemd/system"))[1]
    assert "folder /nowhere/log is not there" in said
    assert "not readable for the exporter" in said
