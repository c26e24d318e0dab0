"""Collectors: one module a namespace, each turning a host's state into facts, or into errors that say why not."""
