r"""Files of variables: `.env` beside the Compose file, `--env-file`, and a service's `env_file`.

One statement a line: `NAME=value` or `NAME: value`, `export` before it if one likes; a lone `NAME`
takes the value it has outside, or none.  Single quotes take the value as it is, double quotes know
`\n` and variables, both may go over lines; without quotes ` #` begins a comment.  A variable's
value outside wins over one set earlier in the file, as in Compose.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rollout.compose.files import decode, read_regular
from rollout.compose.interpolate import Interpolator, Lookup, TemplateError
from rollout.compose.node import shown
from rollout.errors import FileError

MAX_FILE = 1024 * 1024

_STATEMENT = re.compile(
    r"(?:export[ \t]+)?(?P<key>[\w.\-\[\]]*)[ \t]*(?:(?P<set>[=:])[ \t]*|(?=\n|\Z))"
)
_BLANK = re.compile(r"(?:[\s]+|#[^\n]*)+")
_QUOTED = {
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL),
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
}
_ESCAPE = re.compile(r'\\([abcfnrtv$"\\]|0\d{0,3})')
_ESCAPED = dict(zip('abfnrtv"\\', '\a\b\f\n\r\t\v"\\', strict=True))


def load_env_file(path: Path, lookup: Lookup, *, raw: bool = False) -> dict[str, str]:
    """A file's variables.  Raises FileError with the line."""
    text = decode(read_regular(path, MAX_FILE), str(path))
    return parse_raw(text, lookup) if raw else parse_env(text, str(path), lookup)


def parse_raw(text: str, lookup: Lookup) -> dict[str, str]:
    """`format: raw`: each line's value as it is, without quotes or variables."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.lstrip().partition("=")
        known = value if equals else lookup(name)
        if name and not name.startswith("#") and known is not None:
            found[name] = known
    return found


def parse_env(text: str, file: str, lookup: Lookup) -> dict[str, str]:
    """`lookup` is what variables have outside the file."""
    found: dict[str, str] = {}

    def known(name: str) -> str | None:
        outside = lookup(name)
        return outside if outside is not None else found.get(name)

    interpolator = Interpolator(known)
    text = text.replace("\r\n", "\n")
    at = _skip_blank(text, 0)
    while at < len(text):
        match = _STATEMENT.match(text, at)
        if match is None:
            raise _error(text, at, file, f"{shown(_line(text, at))} is not NAME=value")
        if match["set"]:
            try:
                value, end = _value(text, match.end(), interpolator)
            except TemplateError as error:
                raise _error(text, at, file, str(error)) from None
            found[match["key"]] = value
        else:
            end = match.end()
            if (outside := lookup(match["key"])) is not None:
                found[match["key"]] = outside
        at = _skip_blank(text, end)
    return found


def _value(text: str, at: int, interpolator: Interpolator) -> tuple[str, int]:
    """A statement's value and where it ends."""
    quote = text[at : at + 1]
    if quote not in _QUOTED:
        line = _line(text, at)
        value = line.partition(" #")[0].rstrip()
        return interpolator.substitute(value), at + len(line)
    match = _QUOTED[quote].match(text, at)
    if match is None:
        raise TemplateError(f"the quote of {shown(_line(text, at))} is not closed")
    if quote == "'":
        return match[1].replace("\\'", "'"), match.end()
    return interpolator.substitute(_ESCAPE.sub(_unescape, match[1])), match.end()


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code == "$":
        return "$$"
    if code[0] == "0":
        return chr(int(code, 8)) if int(code, 8) else match[0]
    return _ESCAPED.get(code, match[0])


def _skip_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _line(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text[at:] if end < 0 else text[at:end]


def _error(text: str, at: int, file: str, message: str) -> FileError:
    return FileError(message, file=file, line=text.count("\n", 0, at) + 1)


def env_file_variables(files: Sequence[Path], outside: Mapping[str, str]) -> dict[str, str]:
    """What files of variables say, later ones over earlier ones; they see what is outside.

    `/dev/null` stands for none.  Raises FileError.
    """
    found: dict[str, str] = {}
    for path in files:
        if str(path) != os.devnull:
            known = {**found, **outside}
            found.update(load_env_file(path, known.get))
    return found
