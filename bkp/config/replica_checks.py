"""Checks of `replications:`: no two receive into one place, and no night's own snapshot stands in a receive's way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.yamlfile.loader import Document


def check_replications(document: Document, config: Config) -> None:
    """Raise `ConfigError` with its place for the first replication that cannot work beside the others."""
    for name, replication in config.replications.items():
        path = ("replications", name, "target")
        for other, before in config.replications.items():
            if other == name:
                break
            if overlap(replication.target, before.target):
                message = f"replications.{name}.target: {replication.target} and {before.target}, the target of"
                message += f" replications.{other}, overlap: each would undo what the other received"
                raise document.error(path, message, remedy="give each a dataset of its own, beside the other")
        for source, each in config.sources.items():
            _check_source(document, name, replication.target, source, each.dataset, each.skip)


def _check_source(
    document: Document, name: str, target: str, source: str, dataset: str | None, skip: tuple[str, ...]
) -> None:
    """Refuse a source whose own recursive snapshot would take the replica along: nothing could be received then."""
    inside = dataset is not None and target.startswith(f"{dataset}/")
    if inside and not any(f"{target}/".startswith(f"{skipped}/") for skipped in skip):
        message = f"sources.{source}.dataset: {dataset} holds {target}, the target of replications.{name}"
        message += ": a snapshot of this server's own keeps a replica from receiving"
        remedy = f"make {target} a source of its own (dataset: {target}), and name the others one by one"
        raise document.error(("sources", source, "dataset"), message, remedy=remedy)


def overlap(one: str, other: str) -> bool:
    """Return whether two datasets are the same, or one lies below the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
