"""Records are decoded in several threads at once."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("bkp", "runner", "exporter", "auditor")

# Each type is met for the first time by eight threads at the same moment.
_MANY_AT_ONCE = """
import sys, threading
import msgspec
from bkp.decoding import decode

sys.setswitchinterval(1e-7)
for number in range(60):
    inner = msgspec.defstruct(f"Inner{number}", [("a", int), ("b", str)])
    kind = msgspec.defstruct(f"Outer{number}", [("one", list[inner]), ("two", tuple[inner, ...])])
    start = threading.Barrier(8)

    def meet(kind=kind, start=start):
        start.wait()
        found = decode(b'{"one": [{"a": 1, "b": "x"}], "two": [{"a": 2, "b": "y"}]}', kind)
        assert found.two[0].b == "y"

    threads = [threading.Thread(target=meet) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("done")
"""


def test_threads_that_meet_a_type_at_the_same_moment_all_get_their_records() -> None:
    ended = subprocess.run([sys.executable, "-c", _MANY_AT_ONCE], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_no_other_module_asks_msgspec_for_a_type() -> None:
    typed = re.compile(r"msgspec\.(json\.decode\([^\n]*type=|json\.Decoder|convert)")
    found = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if typed.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["bkp/decoding.py"]
