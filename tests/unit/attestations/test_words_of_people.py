"""A person's word: it must say something, and be about a repository that has a key."""

from datetime import UTC
from pathlib import Path

import pytest

from auditor.attest.proof import of_digits, of_passphrase, of_word
from auditor.attest.site import Site
from bkp.config import parse_config
from bkp.errors import UsageError
from bkp.secrets import Secret
from tests.unit.attestations.test_attestation_file import NOW


def site(folder: Path, encryption: str) -> Site:
    text = (
        f"schema: 1\npaths: {{state: {folder}}}\nmail: {{when: never}}\nsources: {{data: {{path: /srv}}}}\n"
        f"repositories: {{main: {{path: /r, sources: [data], encryption: {encryption}}}}}\n"
    )
    return Site(parse_config(text), NOW, UTC)


def test_where_no_repository_has_a_key_nothing_can_be_attested_of_one(tmp_path: Path) -> None:
    open_one = site(tmp_path, "none")
    for ask in (
        lambda: of_word(open_one, None, "restored it on a laptop", keyed=True),
        lambda: of_digits(open_one, "usb", "0" * 12, None),
        lambda: of_passphrase(open_one, "usb", Secret("x"), None),
    ):
        with pytest.raises(UsageError, match="no repository has a key"):
            ask()


@pytest.mark.parametrize("said", ["", " ", ".", "\u3164"])
def test_a_statement_that_says_nothing_is_refused_before_it_is_on_record(tmp_path: Path, said: str) -> None:
    with pytest.raises(UsageError, match="what was seen"):
        of_word(site(tmp_path, "none"), None, said, keyed=False)
