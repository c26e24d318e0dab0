"""The nightly, one idea a module: prepare and orchestrate, archive, sample, retention, compaction, baseline, plan."""

ACCEPT_SIZE = "accept_size"  # the switch that says: this archive's size is right
