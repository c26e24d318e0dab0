"""OpenZFS 2.1 and 2.3 as a machine interface: commands as pure tuples, tab-separated replies, typed facts."""
