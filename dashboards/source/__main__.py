"""Write the dashboards' JSON beside this folder, or into the folder that is named."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards.source.boards import BOARDS
from dashboards.source.dashboard import as_text

GRAFANA = Path(__file__).resolve().parents[1] / "grafana"


def write(folder: Path) -> None:
    """Write every dashboard into a folder."""
    for name, board in BOARDS.items():
        (folder / f"{name}.json").write_text(as_text(board), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else GRAFANA)
