"""Log lines for operators, on stderr: structlog behind a front that costs nothing until it speaks.

A suppressed line costs one comparison.  The first line that is let through imports structlog
(91 ms, 219 ms where rich is installed), so a good `deploy` never pays at the default level.
Lines for the person at the keyboard are not logged: they are printed by `rollout.views`.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FORMATS = ("console", "json")
_NAMES = {"stack": "of"}
Fields = MutableMapping[str, Any]


class Log:
    """The front: `debug`, `info`, `warning`, `error`, each with an event and its fields."""

    def __init__(self) -> None:
        self._threshold = LEVELS["warning"]
        self._format = "console"
        self._back: Any = None

    def configure(self, *, level: str, fmt: str) -> None:
        """Set what is let through (a key of LEVELS) and how it is written (one of FORMATS)."""
        self._threshold = LEVELS[level]
        self._format = fmt
        self._back = None

    @property
    def debugging(self) -> bool:
        return self._threshold <= LEVELS["debug"]

    def debug(self, event: str, **fields: object) -> None:
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if LEVELS[level] < self._threshold:
            return
        if self._back is None:
            self._back = _structlog(self._format)
        getattr(self._back, level)(event, **fields)


def _structlog(fmt: str) -> Any:
    import structlog  # noqa: PLC0415  lazy: 91 to 219 ms

    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable if fmt == "console" else _as_is,
            renderer,
        ],
    )


def _printable(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Control characters written out, so that no field can steer the terminal; tracebacks stay.

    The renderer takes a field `stack` for a stack trace, and writes it below the line.
    """
    return {
        _NAMES.get(key, key): _escape(value)
        if isinstance(value, str) and key != "exception"
        else value
        for key, value in fields.items()
    }


def _as_is(_logger: Any, _method: str, fields: Fields) -> Fields:
    return fields


def _escape(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


log = Log()
"""The one every module uses: `from rollout.log import log`."""
