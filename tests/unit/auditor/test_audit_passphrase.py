"""How many guesses a passphrase withstands: enough to tell a word from a random one, and no finer."""

import pytest

from auditor.facts.passphrase import MOST, strength
from bkp.secrets import Secret

ENOUGH = 14


@pytest.mark.parametrize(
    "words",
    [
        *(
            "",
            "x",
            "…",
            "backup",
            "borg2026",
            "passphrase",
            "correcthorse",
            "main",
            "srv-backup",
            "a" * 500,
            "Server1!",
        ),
        *("correct horse battery staple", "The quick brown fox jumps over the lazy dog", "Change-me_please.Change-me"),
        *("your long passphrase here", "the passphrase of the repository", "<insert a strong passphrase>"),
    ],
)
def test_what_can_be_guessed_is_below_the_limit(words: str) -> None:
    assert strength(Secret(words), ("main", "srv")) < ENOUGH


@pytest.mark.parametrize(
    "words", ["granite-otter-lamp-violin", "Zq7x-vW4t-9mLq-x2Kd-8Hb1", "kW0pX2vF6nQ9sL4tR7yB1cD5eG8hJ3mA" * 4]
)
def test_a_random_one_is_strong_however_long(words: str) -> None:
    assert ENOUGH <= strength(Secret(words), ()) <= MOST
