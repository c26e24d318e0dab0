"""Strict YAML for files that people write: line numbers, no silent types, no duplicate or unknown keys."""
