"""The typed configuration: one strict YAML file, `/etc/bkp/config.yml`, read by all three programs."""

from bkp.config.load import load_config, parse_config
from bkp.config.model import Config

__all__ = ["Config", "load_config", "parse_config"]
