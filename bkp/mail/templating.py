"""The templates of mails: each program has its own, and all extend one frame, so that they look alike everywhere.

{% extends "frame.html.j2" %}{% from "parts.html.j2" import ink, tint, edge, told %}{% block content %}…{% endblock %}
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment


@cache
def html_environment(package: str, finalize: Callable[[object], object] | None = None) -> Environment:
    """Return what fills the HTML templates of a package. What comes from outside is escaped, a name it lacks raises."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined  # costs start-up time

    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("bkp.mail")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
