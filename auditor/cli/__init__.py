"""The command line of bkp-audit: the edge that parses, prints, writes files and exits. Heavy modules load on demand."""

from auditor.cli.main import main

__all__ = ["main"]
