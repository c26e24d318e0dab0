"""The templates of mails, filled: HTML escapes whatever comes from outside."""

from __future__ import annotations

from typing import Any


def render(name: str, facts: dict[str, Any]) -> str:
    """Return a template of this package, filled. A name that `facts` lack is a defect, and raises."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # costs start-up time

    environment = Environment(
        loader=PackageLoader("runner.notify"),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(facts)
