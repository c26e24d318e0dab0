"""The catalogue of facts: every name a rule may use, its type, unit and meaning. Typos become load errors."""

from auditor.catalogue.entries import NAMESPACES
from auditor.catalogue.lookup import FactRef, UnknownFactError, namespace, resolve
from auditor.catalogue.model import FactSpec, FactType, Namespace, Value

__all__ = [
    "NAMESPACES",
    "FactRef",
    "FactSpec",
    "FactType",
    "Namespace",
    "UnknownFactError",
    "Value",
    "namespace",
    "resolve",
]
