"""The scrub, one idea a module: what keeps it from starting, how it stands, when it stands aside, and the work."""
