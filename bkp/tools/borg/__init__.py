"""borg 1.2.4 and 1.4 as a machine interface: commands, events, replies, and what an exit means."""
