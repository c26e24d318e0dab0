"""The collectors: pure functions from the model to samples, each in a file of its own, by name in `registry`."""
