"""`bkp-audit --mail` with the real msmtp and a real SMTP server: sent, or kept while the relay is down, and said."""

import json
import os
import subprocess
from pathlib import Path

from bkp.state.audits import KeptReports, digest_of
from bkp.state.ledger import Ledger
from tests.integration.auditor.conftest import Server
from tests.support.loaded import loaded
from tests.support.mailbox import Mailbox, text_of


def audit(server: Server, *arguments: str, invocation: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.root), "LC_ALL": "C.UTF-8"}
    if invocation:
        environment["INVOCATION_ID"] = invocation
    return subprocess.run(
        [loaded("bkp-audit"), "-c", str(server.config), "--quiet", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def told(server: Server) -> str:
    path = Path(server.root / "lock" / "bkp-audit.told")
    return path.read_text().strip() if path.exists() else ""


def test_the_report_is_mailed_kept_and_waits_in_the_outbox_while_the_relay_is_down(server: Server) -> None:
    done = audit(server, "--mail")
    assert done.returncode == 2
    assert "--mail: mail.when is never" in done.stderr
    box = Mailbox()
    box.configure(server.root / "msmtprc")
    text = server.config.read_text()
    wanted = f"mail: {{to: admin@example.com, config: {server.root}/msmtprc, timeout: 20s}}"
    server.config.write_text(text.replace("mail: {when: never}", wanted))
    for other in ("--rules", "--waivers"):
        refused = audit(server, "--mail", other, str(server.root))
        assert refused.returncode == 2, refused.stderr
    report = server.root / "report.json"
    kept = KeptReports(server.root / "state")

    # The relay is down: the judgement stands, the report is kept, and the mail waits.
    done = audit(server, "--mail", "--json", str(report), invocation="first")
    assert done.returncode == json.loads(report.read_text())["exit_code"] == 1, done.stderr
    assert "note: the report waits in the outbox, and is sent later:" in done.stderr
    assert told(server) == "first", "what waits in the outbox need not be mailed as a failed unit as well"
    assert [each.number for each in kept.files()] == [1]
    assert json.loads(report.read_text())["since"]["at"] is None

    # It is up again: what waited leaves first, then the next report, which is compared with the first.
    box.start()
    try:
        done = audit(server, "--mail", "--json", str(report), invocation="second")
    finally:
        box.stop()
    assert (done.returncode, done.stderr) == (1, "")
    assert told(server) == "second"
    first, second = box.messages()
    assert box.recipients == [["admin@example.com"]] * 2
    for mail in (first, second):  # the second asks besides whether anybody has read the first
        assert str(mail["Subject"]).strip().startswith("[bkp] audit findings (")
    assert first["Message-ID"] != second["Message-ID"]
    files = kept.files()
    assert [each.number for each in files] == [1, 2]
    assert kept.problem() is None
    before, now = (" ".join(text_of(message, "plain").split()) for message in (first, second))
    assert "This is the first report that is kept" in before
    assert "Compared with the report of" in now
    assert "Do not count on it. In trouble: last good archive" in now, "nothing was ever backed up here"
    for said, each in ((before, files[0]), (now, files[1])):
        assert str(digest_of(each.path)) in said
        assert "history.jsonl" in said or "there is no line in it" in said
    assert "env" not in now.split()
    assert server.passphrase not in first.as_string() + second.as_string()
    assert Ledger(server.root / "state" / "history.jsonl").verify().intact

    # No place to keep it: it is mailed all the same, and the exit code says that a report could not be written.
    folder = kept.folder
    folder.rename(server.root / "reports")
    folder.write_text("in the way")
    again = Mailbox()
    again.configure(server.root / "msmtprc")
    again.start()
    try:
        done = audit(server, "--mail", invocation="third")
    finally:
        again.stop()
    assert done.returncode == 3
    assert "error: cannot" in done.stderr
    assert len(again.raw) == 1
    last = " ".join(text_of(again.messages()[0], "plain").split())
    assert "This report: not known: it could not be kept" in last
    assert "Nothing can be compared: the report before this one" in last
