"""docs/monitoring.md, typed as it stands: every command is run, with the real programs.

What a test cannot have are Debian's packages and systemd. `apt-get` only looks whether it could install them;
`systemctl` starts and ends the real programs, with shorter times than the page's; Grafana is not started.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bkp.clock import utc_now
from bkp.resources import data_dir
from tests.support.alert_rules import GROUPS
from tests.support.alertmanager import with_templates
from tests.support.dashboards import BOARDS, FILES
from tests.support.exporter_world import World, healthy
from tests.support.shell import OwnShell, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
GRAFANA = data_dir("dashboards") / "grafana"
# What a query is asked for until it says so: what a person waits for.
AWAITED = {
    "up{job=": r'instance="127\.0\.0\.1:10045".* => 1 ',
    "ALERTS{alertname=": "Watchdog.* => 1 ",
    "alert query alertname=Watchdog": "active",
    "alert query alertname=BkpExporterDown": "active",
    "ALERTS{alertstate=": r"^(?!.*(BkpExporterDown|BkpRules))(?=.*Watchdog)",
}
SYSTEMCTL = """\
#!/bin/bash
# Starts and ends the real programs. Their configuration is a copy, with short times.
cd {folder} || exit
quick() {{
    rm -rf quick && cp -r /etc/prometheus quick &&
        sed -Ei 's/\\b((scrape|evaluation|group)_(interval|wait)): \\w+/\\1: 1s/; s/\\bfor: \\w+/for: 2s/' \\
            quick/*.yml quick/bkp/*.yml
}}
command=$1
shift
for unit; do
    if [[ $command != start && -e $unit.pid ]]; then
        kill "$(cat "$unit.pid")" && while kill -0 "$(cat "$unit.pid")" 2>/dev/null; do sleep 0.05; done
        rm "$unit.pid"
    fi
    [[ $command != stop ]] || continue
    case $unit in
        bkp-exporter) start=({exporter}) ;;
        prometheus) quick && start=({prometheus}) ;;
        prometheus-alertmanager) quick && start=({alertmanager}) ;;
        grafana-server) [[ -e /var/lib/grafana/dashboards/bkp/fleet.json ]] && continue ;;
        *) exit 5 ;;
    esac
    "${{start[@]}}" >"$unit.log" 2>&1 &
    echo $! >"$unit.pid"
done
"""


def systemctl(folder: Path, config: Path) -> str:
    exporter = [sys.executable, "-m", "exporter.cli", "--config", str(config)]
    prometheus = ["prometheus", "--config.file=quick/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    prometheus += ["--web.listen-address=127.0.0.1:9090", "--rules.alert.resend-delay=1s"]
    manager = with_templates(
        folder,
        *("prometheus-alertmanager", "--config.file=quick/alertmanager.yml", f"--storage.path={folder}/alerts"),
        *("--web.listen-address=127.0.0.1:9093", "--cluster.listen-address="),
    )
    programs = {"exporter": exporter, "prometheus": prometheus, "alertmanager": manager}
    return SYSTEMCTL.format(folder=folder, **{name: shlex.join(words) for name, words in programs.items()})


def program(path: Path, content: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    path.chmod(0o755)


def test_what_the_page_says_is_typed_leads_to_the_first_alert_and_to_its_end(tmp_path: Path) -> None:
    world = World(tmp_path, now=utc_now())
    healthy(world)
    program(tmp_path / "bin/systemctl", systemctl(tmp_path, world.config_path))
    program(tmp_path / "bin/apt-get", '#!/bin/sh\nexec /usr/bin/apt-get --simulate "$@"\n')
    path = (tmp_path / "bin", Path(sys.prefix) / "bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
    done = []
    with OwnShell(tmp_path / "own", path, ("/etc", "/opt", "/var/lib")) as shell:
        # what installing bkp, and Debian's and Grafana's packages leave
        shell.run(f"rm -rf /opt/bkp && ln -s {sys.prefix} /opt/bkp")
        shell.run("mkdir -p /etc/prometheus /etc/grafana/provisioning/{datasources,dashboards}")
        shell.run("grep -q ^prometheus: /etc/group || echo prometheus:x:64999: >>/etc/group")
        shell.run("systemctl start bkp-exporter")
        shell.until("curl -fsS http://127.0.0.1:10045/-/ready", "")
        for command in typed(PAGE):
            wanted = next((pattern for part, pattern in AWAITED.items() if part in command), None)
            said = shell.run(command) if wanted is None else shell.until(command, f"(?s){wanted}")
            done.append(command)
            assert "promtool check config" not in command or "rules found" in said
        groups = "count(prometheus_rule_group_rules{rule_group=~'.*;bkp-.*'})"  # what BkpRulesMissing counts
        shell.until(f'promtool query instant http://127.0.0.1:9090 "{groups}"', f"=> {len(GROUPS)} ")
        kept = shell.run("cat /etc/prometheus/bkp/*.yml /var/lib/grafana/dashboards/bkp/*.json")
        shell.run("systemctl stop bkp-exporter prometheus prometheus-alertmanager")
    assert len(done) > 20
    assert "https://wiki.example.org/bkp/runbooks/BkpPoolFull" in kept
    assert "bkp.example" not in kept
    assert "https://grafana.example.org/d/bkp-storage" in kept
    assert "grafana.example/" not in kept


def test_the_page_names_every_file_and_every_dashboard() -> None:
    named = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
    there = {str(path.relative_to(GRAFANA.parent)) for path in _shipped()}
    assert {name for name in there if not any(Path(name).match(pattern) for pattern in named)} == set()
    assert {pattern for pattern in named if not any(Path(name).match(pattern) for name in there)} == set()
    assert re.findall(r"^\| (Backups: [^|]+) \|", PAGE, re.MULTILINE) == [
        BOARDS[name].content["title"] for name in ("fleet", "server", "repository", "storage", "compliance")
    ]
    assert len(FILES) == 5


def _shipped() -> Iterator[Path]:
    for folder in ("grafana", "prometheus"):
        yield from (path for path in (GRAFANA.parent / folder).rglob("*") if path.suffix in {".yml", ".json"})


def provisioned(kind: str) -> list[dict[str, Any]]:
    content = yaml.safe_load((GRAFANA / f"provisioning/{kind}/bkp.yml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = content["providers" if kind == "dashboards" else kind]
    return found


def test_the_provisioning_leads_grafana_to_prometheus_and_to_where_the_page_puts_the_dashboards() -> None:
    (source,) = provisioned("datasources")
    assert (source["type"], source["url"], source["access"]) == ("prometheus", "http://127.0.0.1:9090", "proxy")
    scraped = yaml.safe_load((data_dir("dashboards") / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
    (provider,) = provisioned("dashboards")
    assert provider["type"] == "file"
    assert f'install -m 644 "$FILES"/grafana/*.json {provider["options"]["path"]}/' in typed(PAGE)
