"""The self-tests, one idea a module: what a disk's log says of the one that was begun, and the work."""
