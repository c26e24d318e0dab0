"""What somebody has to look at: one list, gravest first, that page, status, alerts and mails share. Pure."""

from bkp.concerns.collect import concerns_of, defect
from bkp.concerns.model import KINDS, Concern

__all__ = ["KINDS", "Concern", "concerns_of", "defect"]
