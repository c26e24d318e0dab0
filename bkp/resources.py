"""Where the shipped rules, dashboards and units are, in an installed wheel and in a checkout alike."""

from pathlib import Path
from typing import Literal, get_args

DataFolder = Literal["rules", "dashboards", "systemd"]

_PACKAGE = Path(__file__).resolve().parent


def data_dir(name: DataFolder) -> Path:
    """Return the absolute path of a shipped data folder.

    A wheel has the folders inside this package (`bkp/_data`); a checkout, and an editable install of it, at its top.
    The wheel's copy wins: an installed program must not read a folder that only happens to lie beside site-packages.

    Raise ValueError for a folder that is not shipped, and FileNotFoundError, naming both places that were looked at,
    if the installation is incomplete.
    """
    if name not in get_args(DataFolder):
        known = ", ".join(get_args(DataFolder))
        raise ValueError(f"unknown data folder {name!r}; the shipped ones are {known}")
    candidates = (_PACKAGE / "_data" / name, _PACKAGE.parent / name)
    # A checkout is told from site-packages by its project file: another distribution may install a folder `rules`.
    if candidates[0].is_dir():
        return candidates[0]
    if candidates[1].is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        return candidates[1]
    looked = " nor ".join(str(path) for path in candidates)
    raise FileNotFoundError(f"shipped folder {name!r} found neither at {looked}; reinstall bkp-suite")
