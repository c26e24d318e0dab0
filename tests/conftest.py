"""What every test shares: the environment that the real programs run in."""

import os
import sys
from pathlib import Path

# promtool, prometheus and the three commands lie beside the interpreter; a test run started without `make`, as
# `.venv/bin/python -m pytest`, finds the same ones.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
