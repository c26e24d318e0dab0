"""What zpool and zfs print of pools and datasets, as records: pure readers, without a verdict."""
