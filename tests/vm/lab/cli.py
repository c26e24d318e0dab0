"""The lab by hand: build images, keep a machine up, sweep what a killed session left."""

from __future__ import annotations

import argparse
import shlex
import sys

from . import image, inside, kept, prerequisites, recipe, recordings, runs, states
from .errors import LabError
from .paths import lab
from .progress import Progress

_EXAMPLES = """\
examples:
  python -m tests.vm.lab image                          build what is missing, both releases
  python -m tests.vm.lab up --release trixie            a machine with the project installed; prints the ssh command
  python -m tests.vm.lab up --name live --state pool    a second one beside it
  python -m tests.vm.lab list
  python -m tests.vm.lab stop                           all of them
"""
_STATES = {"image": None, "pool": states.POOL, "dependencies": states.DEPENDENCIES, "project": states.PROJECT}


def _image(arguments: argparse.Namespace) -> int:
    for name in arguments.release.split(","):
        found = image.ensure(recipe.release_named(name), Progress(f"image {name}"))
        packages = found.manifest["packages"]
        versions = " ".join(f"{package}={version}" for package, version in packages.items())
        print(f"{found.folder}\n  kernel={found.manifest['kernel']} {versions}")
    return 0


def _up(arguments: argparse.Namespace) -> int:
    prerequisites.require(prerequisites.TO_RUN)
    release = recipe.release_named(arguments.release)
    machine = kept.keep_up(arguments.name, release, _STATES[arguments.state], Progress(arguments.name))
    print(f"{shlex.join(machine.ssh)}\n\nStop it with: make lab-stop\nDisks, console, control socket: {machine.folder}")
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    for machine in kept.machines(lab()):
        print(f"{machine.name} ({machine.release}): {shlex.join(machine.ssh)}")
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    stopped = kept.stop(lab(), arguments.name)
    print(f"stopped: {', '.join(stopped) or 'none was up'}")
    return 0


def _record(arguments: argparse.Namespace) -> int:
    prerequisites.require(prerequisites.TO_RUN)
    for name in arguments.release.split(","):
        progress = Progress(f"record {name}")
        written = recordings.record_release(recipe.release_named(name), progress)
        progress.say(f"{len(written)} recordings written")
    return 0


def _test(arguments: argparse.Namespace) -> int:
    release = recipe.release_named(arguments.release)
    return inside.run_tests(release, Progress(f"test {release.name}"), arguments.pytest_args)


def _sweep(_arguments: argparse.Namespace) -> int:
    print(f"swept: {', '.join(runs.sweep(lab())) or 'nothing was left behind'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.vm.lab",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("image", help="build the images that are missing (root)")
    command.add_argument("--release", default=",".join(recipe.DEFAULT_RELEASES), help="comma-separated; %(default)s")
    command.set_defaults(action=_image)

    command = commands.add_parser("up", help="start a machine that stays, and print how to get in")
    command.add_argument("--release", default=recipe.DEFAULT_RELEASES[0], help="%(default)s")
    command.add_argument("--state", default="project", choices=_STATES, help="what is prepared on it; %(default)s")
    command.add_argument("--name", default="server", help="the machine's name; %(default)s")
    command.set_defaults(action=_up)

    commands.add_parser("list", help="machines that stay up, and how to get in").set_defaults(action=_list)

    command = commands.add_parser("stop", help="end machines that stay up, and remove their disks")
    command.add_argument("--name", help="only this one; otherwise all")
    command.set_defaults(action=_stop)

    command = commands.add_parser("record", help="write tests/fixtures/{smartctl,zfs} anew")
    command.add_argument("--release", default=",".join(recipe.DEFAULT_RELEASES), help="comma-separated; %(default)s")
    command.set_defaults(action=_record)

    command = commands.add_parser("test", help="run `make test` in a root tree of a release, without a machine (root)")
    command.add_argument("--release", default="trixie", help="%(default)s")
    command.add_argument("--pytest-args", default="", metavar="ARGS", help="instead of the Makefile's")
    command.set_defaults(action=_test)

    commands.add_parser("sweep", help="remove what killed sessions left").set_defaults(action=_sweep)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0, or 2 with the reason on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.action(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    return code
