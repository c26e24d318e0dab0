"""Repeatable measurements: `make bench`, or `python -m benchmarks NAME` for one. Each prints a table."""
