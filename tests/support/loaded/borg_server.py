"""A process that has borg loaded, in borg's own interpreter: /usr/bin/python3 -sE -m … FOLDER."""

import sys
from importlib import import_module

import borg.archiver

from tests.support.loaded.server import serve

for late in ("_strptime", "msgpack.fallback"):  # borg imports them when it needs them
    import_module(late)
folder, sys.argv[0] = sys.argv[1], "borg"  # after which its parser names it

# What borg makes first of all: the one archiver of a process, and its parser, which take half of a short call's time.
archiver = borg.archiver.Archiver()
parser = archiver.build_parser()
archiver.build_parser = lambda: parser
borg.archiver.Archiver = lambda: archiver

serve(folder, {"borg": borg.archiver.main})
