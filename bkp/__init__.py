"""What the three programs share: configuration, recorded state, status and the outside tools."""

__version__ = "0.1.0"
