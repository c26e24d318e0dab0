"""A process that has this project's programs loaded, and stand-ins of its tests: python -sE -m … FOLDER."""

import gc
import sys
from importlib import import_module
from pkgutil import walk_packages

import msgspec

import auditor
import bkp
import runner
from tests.support.loaded import OURS
from tests.support.loaded.server import serve

for package in (bkp, runner, auditor):
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)

# A decoder reads the annotations of a record and of all it holds: half of what `status` does.
for record in (each for each in gc.get_objects() if isinstance(each, type) and issubclass(each, msgspec.Struct)):
    msgspec.json.Decoder(record)

serve(sys.argv[1], {name: import_module(module).main for name, module in OURS.items()})
