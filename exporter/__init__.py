"""bkp-exporter: Prometheus metrics and a status page from the recorded state."""

PROGRAM = "bkp-exporter"
