"""What smartctl says of a disk, as typed facts: readers of its JSON, its text and its list of devices. Pure."""
