"""borg's exclude patterns (borg-patterns(1)): which are valid, and which files borg leaves out by them.

The real borg is the judge: the tests compare with what `borg create` leaves out.
"""

from __future__ import annotations

import fnmatch
import os.path
import re
from collections.abc import Callable, Iterable, Iterator

Matcher = Callable[[str], bool]

_FNMATCH_END = r"\Z"


def excluder(patterns: Iterable[str]) -> Matcher:
    """Return a function that says whether borg would leave out the file at an absolute path.

    Raise ValueError for a pattern without a known style in front, or one that does not compile.
    """
    matchers = [_matcher(pattern) for pattern in patterns]

    def excluded(path: str) -> bool:
        relative = os.path.normpath(path).lstrip("/")
        return any(matches(relative) for matches in matchers)

    return excluded


def _matcher(pattern: str) -> Matcher:
    style, separator, text = pattern.partition(":")
    if not separator or style not in _STYLES:
        raise ValueError(f"{pattern!r} needs its style in front: sh:, fm:, pp: or re:")
    try:
        return _STYLES[style](text)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"{pattern!r} is no valid pattern: {exc}") from None


def body_of(pattern: str) -> str:
    """Return a regular expression that finds, from the start of a path without its slash, what the pattern matches.

    Raise ValueError as `excluder` does.
    """
    _matcher(pattern)
    style, _, text = pattern.partition(":")
    if style == "re":
        # Python takes flags for the whole expression only at its very beginning.
        flags, rest = re.fullmatch(r"(?:\(\?([a-zA-Z]+)\))?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        return f"(?s:.*?)(?{flags or ''}:{rest}" + ("\n)" if "x" in (flags or "") else ")")
    if style == "pp":
        prefix = _clean_prefix(text)
        return re.escape(prefix[:-1]) + r"(?:/|\Z)" if prefix else ""
    tokens = list((_shell_tokens if style == "sh" else _fnmatch_tokens)((os.path.normpath(text) + "/").lstrip("/")))
    if text.endswith("/"):
        return "".join(tokens)
    # These styles match the path with a slash behind it, which the last tokens may stand for.
    ends = ["".join(tokens[:at]) + r"\Z" for at in range(len(tokens)) if re.fullmatch("".join(tokens[at:]), "/")]
    return "|".join(["".join(tokens), *ends])


def _regular(text: str) -> Matcher:
    compiled = re.compile(text)
    return lambda path: compiled.search(path) is not None


def _prefix(text: str) -> Matcher:
    prefix = _clean_prefix(text)
    return lambda path: (path + "/").startswith(prefix)


def _clean_prefix(text: str) -> str:
    return (os.path.normpath(text).rstrip("/") + "/").lstrip("/")


def _glob(text: str, below: str, translate: Callable[[str], str]) -> Matcher:
    """Return the matcher of a shell-like pattern; `below` matches what lies below the folder that `text` names."""
    path = os.path.normpath(text)
    whole = f"{path.rstrip('/')}{below}/" if text.endswith("/") else path + below
    compiled = re.compile(translate(whole.lstrip("/")))
    return lambda path: compiled.match(path + "/") is not None


def _fnmatch(text: str) -> Matcher:
    return _glob(text, "/*", fnmatch.translate)


def _shell(text: str) -> Matcher:
    return _glob(text, "/**/*", _translate_shell)


def _translate_shell(pattern: str) -> str:
    """Return the regular expression of a shell pattern: `**/` crosses folders, `*` and `?` do not."""
    return rf"(?ms){''.join(_shell_tokens(pattern))}\Z"


def _shell_tokens(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            yield r"(?:[^/]*/)*"
            at += 3
            continue
        at += 1
        if char == "*":
            yield "[^/]*"
        elif char == "?":
            yield "[^/]"
        elif char == "[" and (end := _class_end(pattern, at)) > 0:
            content = re.sub(r"[\\\[&~|]", r"\\\g<0>", pattern[at:end])  # re warns of what may become set operations
            negated = content[0] == "!"
            yield f"[{'^' if negated else ''}{content[1:] if negated else _literal_caret(content)}]"
            at = end + 1
        else:
            yield re.escape(char)


def _fnmatch_tokens(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        char = pattern[at]
        end = _class_end(pattern, at + 1) if char == "[" else -1
        piece = pattern[at : end + 1] if end > 0 else char
        at += len(piece)
        # one piece at a time: what fnmatch makes of several may be atomic, and must not be cut
        yield f"(?:{fnmatch.translate(piece).removesuffix(_FNMATCH_END)})"


def _literal_caret(content: str) -> str:
    return f"\\{content}" if content[0] == "^" else content


def _class_end(pattern: str, at: int) -> int:
    start = at + 1 if pattern[at : at + 1] == "!" else at
    return pattern.find("]", start + 1)


_STYLES: dict[str, Callable[[str], Matcher]] = {"re": _regular, "pp": _prefix, "fm": _fnmatch, "sh": _shell}
