"""How many guesses a passphrase withstands: estimated by zxcvbn, told as a power of ten and no finer.

Neither the passphrase nor what the estimate is made from is stored or shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.secrets import Secret

MOST = 20  # beyond that an estimate says nothing but "enough"
_LONGEST = 72  # what zxcvbn takes; the strength of a beginning is the least that the whole has
_SEPARATORS = re.compile(r"[\s._-]+")
# What stands in the place of a passphrase in documents and templates, and what everybody has read somewhere.
_KNOWN = (
    *("borg", "backup", "bkp", "passphrase", "password", "secret", "example", "repository", "server", "host", "key"),
    *("changeme", "change", "me", "please", "your", "my", "the", "of", "a", "here", "long", "random", "strong", "new"),
    *("insert", "enter", "replace", "put", "use", "this", "with", "todo"),
    *("correcthorsebatterystaple", "thequickbrownfoxjumpsoverthelazydog", "tobeornottobethatisthequestion"),
    *("loremipsumdolorsitamet", "tobeornottobe", "thequickbrownfox", "openthepodbaydoors", "maytheforcebewithyou"),
)


def strength(secret: Secret, known: Iterable[str]) -> int:
    """Return the power of ten of the guesses that would find it, `known` words of the host tried first; at most 20."""
    from zxcvbn import zxcvbn  # 14 MiB of word lists: only a live audit pays for them

    text = secret.reveal()[:_LONGEST]
    if not text:
        return 0
    inputs = [*_KNOWN, *known]
    joined = _SEPARATORS.sub("", text)  # words are what is guessed, not what stands between them
    forms = {text, joined} - {""}
    return min(max(0, min(MOST, int(zxcvbn(form, user_inputs=inputs)["guesses_log10"]))) for form in forms)
