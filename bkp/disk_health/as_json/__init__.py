"""smartctl's JSON of one disk: what all disks have in `reader`, and a module for each command set."""
