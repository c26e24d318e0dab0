"""What a nightly archives: each source is prepared (a snapshot, say), read by borg, and released again."""
