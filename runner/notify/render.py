"""The templates of this package, filled."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from bkp.mail.templating import html_environment

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, facts: dict[str, Any]) -> str:
    """Return a template of this package, filled. A name that `facts` lack is a defect, and raises."""
    if name.endswith(".html.j2"):
        return html_environment("runner.notify").get_template(name).render(facts)
    return _text_environment().get_template(name).render(facts)


@cache
def _text_environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # costs start-up time

    return Environment(  # noqa: S701  # plain text is no HTML
        loader=PackageLoader("runner.notify"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
