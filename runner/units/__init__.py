"""The systemd units: what each job may do, as text, and on disk."""
