"""Which versions of borg are worked with: those that bkp was made for, and no other."""

from __future__ import annotations

import pytest

from bkp.errors import ExitCode
from bkp.tools.borg.version import UnsupportedBorgError, refuse_unsupported


@pytest.mark.parametrize(
    "version", ["1.2.4", "1.2.10", "1.2.8", "1.4.0", "1.4.1", "1.4.4b2", "1.10.0", "1.4.1.dev3+g0a1b2c3"]
)
def test_the_series_that_bkp_was_made_for_is_worked_with(version: str) -> None:
    refuse_unsupported("/usr/bin/borg", version)


@pytest.mark.parametrize(
    "version", ["0.30", "1.0.13", "1.1.18", "1.2", "1.2.3", "2.0.0b14", "2.1", "10.0", "x", "1", "v1.4.0"]
)
def test_any_other_is_refused_with_a_remedy(version: str) -> None:
    with pytest.raises(UnsupportedBorgError) as caught:
        refuse_unsupported("/opt/borg", version)
    assert caught.value.message == f"/opt/borg is borg {version}; wanted 1.2.4 or newer of the 1.x series"
    assert "repositories.….borg" in (caught.value.remedy or "")
    assert caught.value.exit_code is ExitCode.FAILURE
