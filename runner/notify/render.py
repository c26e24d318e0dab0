"""The templates of this package, filled."""

from __future__ import annotations

from typing import Any


def render(name: str, facts: dict[str, Any]) -> str:
    """Return a template of this package, filled. A name that `facts` lack is a defect, and raises."""
    if name.endswith(".html.j2"):
        from bkp.mail.templating import html_environment

        environment = html_environment("runner.notify")
    else:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # costs start-up time

        environment = Environment(  # noqa: S701  # plain text is no HTML
            loader=PackageLoader("runner.notify"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
    return environment.get_template(name).render(facts)
