"""One module a job; the nightly has a folder of its own. A job is a function of a `JobContext`."""
