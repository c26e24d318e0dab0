"""The least configuration there is, and reading one that must be refused or accepted."""

import pytest

from bkp.config import Config, parse_config
from bkp.errors import ConfigError, ExitCode

BASE = """\
schema: 1
repositories:
  main: {path: /r, sources: [data]}
sources:
  data: {path: /x}
"""
MAIL = "mail: {when: never}\n"  # what is asked for last: a test of another mistake does without


def refused(text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "config.yml")
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def accepted(text: str) -> Config:
    return parse_config(text + MAIL)
