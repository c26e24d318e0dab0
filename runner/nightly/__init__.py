"""The nightly, one idea a module: prepare and orchestrate, archive, sample, retention, compaction, baseline, plan."""
