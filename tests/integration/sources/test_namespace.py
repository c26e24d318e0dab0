"""The private mount namespace on this kernel: each test is a process of its own that root starts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.mounts import in_own_mounts, mounts_of

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("_root")


@pytest.fixture
def _root() -> None:
    assert os.geteuid() == 0, "these tests mount: run them as root"


def run(code: str, *arguments: str | Path) -> str:
    command = in_own_mounts(sys.executable, "-c", code, *map(str, arguments))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_mounted_inside_is_seen_inside_and_by_children_only(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("live")
    said = run(
        """
import os, subprocess, sys
from pathlib import Path
from bkp.tools.namespace import private_mounts
folder, outside = Path(sys.argv[1]), os.getppid()
def shown(): return sorted(each.name for each in folder.iterdir())
with private_mounts():
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    (folder / "inside").write_text("x")
    print(shown(), subprocess.run(["ls", folder], capture_output=True, text=True).stdout.split())
    print(str(folder) in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/mountinfo").read_text())
print(shown(), str(folder) in Path("/proc/self/mountinfo").read_text())
""",
        tmp_path,
    )
    assert said.splitlines() == ["['inside'] ['inside']", "True", "['live'] False"]


def test_a_mount_of_a_shared_tree_is_not_seen_outside(tmp_path: Path) -> None:
    """As under systemd, which makes / shared: what is mounted there is seen in every copy of the namespace."""
    said = run(
        """
import os, subprocess, sys
from pathlib import Path
from bkp.tools.namespace import private_mounts
subprocess.run(["mount", "--make-rshared", "/"], check=True)
folder = sys.argv[1]
read_fd, write_fd = os.pipe()
other = os.fork()
if other == 0:  # stays outside, and looks when it is told
    os.close(write_fd)
    os.read(read_fd, 1)
    os._exit(folder in Path("/proc/self/mountinfo").read_text())
with private_mounts():
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    os.write(write_fd, b"x")
    print(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
""",
        tmp_path,
    )
    assert said.split() == ["0"]


def test_after_the_block_the_working_folder_is_what_it_was(tmp_path: Path) -> None:
    said = run(
        """
import os, sys
from bkp.tools.namespace import private_mounts
os.chdir(sys.argv[1])
with private_mounts():
    os.chdir("/")
print(os.getcwd())
""",
        tmp_path,
    )
    assert said.strip() == str(tmp_path)


def test_namespaces_nest_and_each_end_takes_only_its_own_mounts_away(tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    outer.mkdir()
    inner.mkdir()
    said = run(
        """
import subprocess, sys
from pathlib import Path
from bkp.tools.namespace import private_mounts
def mounted(): return [each in Path("/proc/self/mountinfo").read_text() for each in sys.argv[1:]]
with private_mounts():
    subprocess.run(["mount", "-t", "tmpfs", "none", sys.argv[1]], check=True)
    with private_mounts():
        subprocess.run(["mount", "-t", "tmpfs", "none", sys.argv[2]], check=True)
        print(mounted())
    print(mounted())
print(mounted())
""",
        outer,
        inner,
    )
    assert said.splitlines() == ["[True, True]", "[True, False]", "[False, False]"]


def test_an_error_inside_leaves_the_namespace_and_comes_through(tmp_path: Path) -> None:
    said = run(
        """
import os, subprocess, sys
from bkp.tools.namespace import private_mounts
before = os.readlink("/proc/thread-self/ns/mnt")
try:
    with private_mounts():
        raise ValueError("inside")
except ValueError as exc:
    print(exc, os.readlink("/proc/thread-self/ns/mnt") == before)
"""
    )
    assert said.strip() == "inside True"


def test_a_thread_that_ended_inside_is_no_hindrance_and_one_that_stays_is_a_clear_error() -> None:
    said = run(
        """
import threading
from bkp.errors import StepFailedError
from bkp.tools import namespace
from bkp.tools.namespace import private_mounts
for _ in range(20):  # join() returns a moment before the kernel's thread is gone
    with private_mounts():
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
print("left")
stop = threading.Event()
namespace._THREADS_END_SECONDS = 1.0  # this thread stays: waiting longer shows no more
try:
    with private_mounts():
        threading.Thread(target=stop.wait).start()
except StepFailedError as exc:
    print(exc.message)
stop.set()
"""
    )
    assert said.splitlines() == [
        "left",
        "the private mount namespace cannot be left: a thread that began inside is still at work",
    ]


def test_a_thread_from_before_is_no_hindrance() -> None:
    said = run(
        """
import threading
from bkp.tools.namespace import private_mounts
stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
with private_mounts():
    pass
print("left")
stop.set()
"""
    )
    assert said.strip() == "left"


@pytest.mark.parametrize("capability", ["sys_admin", "sys_chroot"])
def test_without_the_capabilities_the_error_names_them(capability: str) -> None:
    code = """
from bkp.errors import StepFailedError
from bkp.tools.namespace import private_mounts
try:
    with private_mounts():
        print("inside")
except StepFailedError as exc:
    print(exc)
"""
    drop = ("setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}", sys.executable, "-c", code)
    done = subprocess.run(drop, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Operation not permitted" in done.stdout
    assert "CAP_SYS_ADMIN and CAP_SYS_CHROOT" in done.stdout


def test_sigkill_inside_leaves_no_mount(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys, time
from bkp.tools.namespace import private_mounts
with private_mounts():
    subprocess.run(["mount", "-t", "tmpfs", "bkp-test-killed", sys.argv[1]], check=True)
    print(os.getpid(), flush=True)
    time.sleep(600)
"""
    command = in_own_mounts(sys.executable, "-c", code, str(tmp_path))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert mounts_of("bkp-test-killed") == {pid}
        os.kill(pid, signal.SIGKILL)
        process.wait()
    assert mounts_of("bkp-test-killed") == set()


def test_a_folder_is_made_where_a_sandbox_has_made_its_mount_read_only(tmp_path: Path) -> None:
    said = run(
        """
import subprocess, sys
from pathlib import Path
from bkp.tools.namespace import make_folder, private_mounts
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
(folder / "there").mkdir()
subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
with private_mounts():
    make_folder(f"{folder}/there/new/er")
    try:
        (folder / "other").mkdir()
    except OSError as exc:
        print(exc.strerror)
print((folder / "there/new/er").is_dir())
""",
        tmp_path,
    )
    assert said.splitlines() == ["Read-only file system", "True"]
