"""The nightly, one idea a module: prepare and orchestrate, archive, sample, retention, compaction, baseline, plan."""

ACCEPT_REPOSITORY = "accept_repository"  # the switch that says: this is the right repository, and all in it is ours
ACCEPT_GONE = "accept_gone"  # the switch that says: it is right that these archives are gone
ACCEPT_REMOVAL = "accept_removal"  # the switch of prune that says: it is right that so many archives go
ACCEPT_SIZE = "accept_size"  # the switch that says: this archive's size is right
