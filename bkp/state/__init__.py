"""The state directory: THE contract between bkp-run, which writes it, and bkp-exporter and bkp-audit, which read it."""
