"""What every job shares: lock, steps, record, signals, log, notification."""
