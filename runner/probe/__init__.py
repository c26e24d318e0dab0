"""The probe: looks at pools, datasets, disks and the host, and merges what it saw with what was seen before."""
