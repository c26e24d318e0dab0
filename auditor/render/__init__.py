"""One report, three views: terminal text, JSON, HTML. Each is a function of the report alone."""
