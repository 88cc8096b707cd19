r"""A command written as one text → its words, split as Compose splits it; no shell is involved.

Single and double quotes group, a backslash takes the next character as it is (`\n` and `\t` are
newline and tab, also inside double quotes), `$(…)` and backquotes hold a word together.  What a
shell would need unquoted `; & | < >` for is refused: Compose drops all that follows them without
a word.
"""

from __future__ import annotations

from rollout.compose.node import shown
from rollout.compose.values import BadValueError

_ESCAPES = {"n": "\n", "t": "\t"}
_SPACE = frozenset(" \t\r\n")
_SHELL = frozenset(";&|<>")


def split(text: str) -> list[str]:
    """Raises BadValueError where a quote is not closed, or a shell is expected."""
    words: list[str] = []
    word: list[str] | None = None
    inside = ""
    """What is open: a quote, a backquote, or `(` for `$(`."""
    characters = iter(text)
    for char in characters:
        if char == "\\" and inside != "'":
            following = next(characters, None)
            if following is None:
                raise BadValueError("ends with a backslash that escapes nothing")
            word = [*(word or []), _ESCAPES.get(following, following)]
        elif char in _SPACE and not inside:
            if word is not None:
                words.append("".join(word))
            word = None
        elif char in "\"'" and inside in ("", char):
            inside = "" if inside else char
            word = word or []
        else:
            inside = _region(char, inside, word)
            word = word if word is not None else []
            word.append(char)
    if inside:
        raise BadValueError(f"{shown(text)} has an opening {inside} that is not closed")
    return words if word is None else [*words, "".join(word)]


def _region(char: str, inside: str, word: list[str] | None) -> str:
    """What is open once this character is part of a word."""
    if char == "`" and inside in ("", "`"):
        return "" if inside else "`"
    if char == ")" and inside == "(":
        return ""
    if inside:
        return inside
    if char == "(" and word and word[-1] == "$":
        return "("
    if char in "()" or char in _SHELL:
        hint = 'write ["sh", "-c", "…"] to have a shell'
        raise BadValueError(f"an unquoted {char} has no meaning without a shell", hint)
    return ""
