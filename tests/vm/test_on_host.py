"""`--on-host`, on the one kind of host with ZFS that is always at hand: a machine of the lab."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.vm.lab.onhost import CONSENT, OPT_IN, POOL_NAME
from tests.vm.lab.paths import CHECKOUT

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

# pytest and what it needs: pure Python, so this interpreter's copies run on the guest's too.
DISTRIBUTIONS = ("pytest", "pytest-timeout", "pluggy", "iniconfig", "packaging", "pygments")
RUN = "cd /srv/checkout && PYTHONPATH=/srv/site python3 -m pytest -p no:cacheprovider --on-host -q"
LIMIT = 2.5 * 3600  # a whole run of pytest
# The main path is enough: on a host only guest, pool and site are other ones, and it uses all three. Which tests would
# run there is judged without a machine, in test_harness.py.
TESTS = "-m smoke tests/vm/test_lab.py tests/vm/test_nightly_on_zfs.py"
REFUSED = "tests/vm/test_lab.py"

pytestmark = [pytest.mark.needs("system"), pytest.mark.once(turn=1)]


@pytest.fixture(scope="module")
def checkout(server: VirtualMachine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Put the lab's tests and pytest on the machine; return its folder there."""
    tree, site = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("site")
    shutil.copytree(CHECKOUT / "tests" / "vm", tree / "tests" / "vm", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tree)
    for name in DISTRIBUTIONS:
        for file in metadata.files(name) or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(str(file.locate())), site / file)
    server.push(tree, "/srv/checkout")
    server.push(site, "/srv/site")
    return "/srv/checkout"


def test_without_the_explicit_word_nothing_is_touched(server: VirtualMachine, checkout: str) -> None:
    refused = server.run(f"{RUN} {REFUSED}", check=False, limit=LIMIT)

    assert refused.code == pytest.ExitCode.TESTS_FAILED, str(refused)
    assert f"set {OPT_IN}={CONSENT}" in refused.stdout
    assert server.run("zpool", "list", "-H", "-o", "name").text == "tank"


def test_a_pool_of_that_name_that_is_not_the_labs_is_left_alone(server: VirtualMachine, checkout: str) -> None:
    server.run(f"truncate -s 256M /srv/precious && zpool create {POOL_NAME} /srv/precious && touch /{POOL_NAME}/data")

    refused = server.run(f"export {OPT_IN}={CONSENT}; {RUN} {REFUSED}", check=False, limit=LIMIT)

    assert refused.code == pytest.ExitCode.TESTS_FAILED, str(refused)
    assert "is not the lab's" in refused.stdout
    server.run(f"test -e /{POOL_NAME}/data && zpool destroy {POOL_NAME} && rm /srv/precious")


def test_what_needs_only_a_pool_runs_on_the_host_itself(server: VirtualMachine, pool: Pool, checkout: str) -> None:
    done = server.run(f"export {OPT_IN}={CONSENT}; {RUN} {TESTS}", check=False, limit=LIMIT)

    assert done.code == 0, str(done)
    assert "3 passed" in done.stdout
    assert "left out: only the lab's machines can" in done.stdout
    assert server.run("zpool", "list", "-H", "-o", "name").text == "tank"
    assert pool.health() == "ONLINE"
    assert server.run("ls /var/tmp", check=False).text.count("bkp-lab-on-host") == 0
    for path in ("/root/.borg_env", "/root/borg-key.txt", "/etc/bkp", "/var/lib/bkp", "/var/log/borg"):
        assert server.run(f"test -e {path}", check=False).code != 0, f"{path} is not the tests' to make"
