"""bkp-run: the backup server's scheduled work, each run recorded whatever happens."""

PROGRAM = "bkp-run"
