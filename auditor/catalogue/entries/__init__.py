"""The facts themselves, by subject. `docs/facts.md` is generated from them; `auditor.facts` collects the values."""

from auditor.catalogue.entries import files, jobs, machine, people, record, repositories, storage, zfs

NAMESPACES = (
    *machine.ENTRIES,
    *files.ENTRIES,
    *repositories.ENTRIES,
    *jobs.ENTRIES,
    *zfs.ENTRIES,
    *storage.ENTRIES,
    *people.ENTRIES,
    *record.ENTRIES,
)

__all__ = ["NAMESPACES"]
