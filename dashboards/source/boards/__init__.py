"""Every dashboard, by the name of its file."""

from __future__ import annotations

from dashboards.source.boards import compliance, fleet, repository, server, storage

BOARDS = {
    "fleet": fleet.BOARD,
    "server": server.BOARD,
    "repository": repository.BOARD,
    "storage": storage.BOARD,
    "compliance": compliance.BOARD,
}
