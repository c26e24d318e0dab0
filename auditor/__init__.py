"""bkp-audit: rules judged against evidence, as a compliance report."""

from bkp import __version__

PROGRAM = "bkp-audit"
PROGRAM_VERSION = f"{PROGRAM} {__version__}"
