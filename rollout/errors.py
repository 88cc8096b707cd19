"""Every error a person can meet, with what it means for the exit code.

    RolloutError                     1  anything that ends a command
    ├── UsageError                   2  the command line asks for something that cannot be
    ├── FileError                    2  the Compose file is wrong: file, line, column, key
    ├── EngineError                  1  the engine refused a call, or answered with a fault
    │   ├── EngineUnavailableError   1  nobody answers, or not to us
    │   ├── NotFoundError            1  what was named is not there
    │   ├── ConflictError            1  the engine says that something is in the way
    │   └── ImpossibleError          1  the engine will never do it: asking again is of no use
    ├── HeldError                    7  another command holds the stack
    └── InterruptedRolloutError    130  Ctrl-C

One line of text each: what, where, what to do next.  They are rendered in one place, `cli/main.py`.
"""

from __future__ import annotations


class RolloutError(Exception):
    """The base of everything this package raises on purpose.

    `reference` is a kebab-case name that stays the same between versions; `hint` says what to do.
    """

    exit_code = 1
    reference = "error"

    def __init__(self, message: str, *, hint: str = "", reference: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if reference:
            self.reference = reference

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(RolloutError):
    exit_code = 2
    reference = "usage"


class FileError(RolloutError):
    """Something in a file is wrong.  `line` and `column` count from 1; 0 means the whole file."""

    exit_code = 2
    reference = "bad-file"

    def __init__(
        self,
        message: str,
        *,
        file: str,
        line: int = 0,
        column: int = 0,
        key: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line
        self.column = column
        self.key = key

    def __str__(self) -> str:
        where = self.file
        if self.line:
            where += f":{self.line}"
        if self.column:
            where += f":{self.column}"
        key = f"{self.key}: " if self.key else ""
        return f"{where}: {key}{super().__str__()}"


class FileErrors(FileError):  # noqa: N818
    """All that is wrong with a file, in the order of its lines."""

    def __init__(self, errors: list[FileError]) -> None:
        first = errors[0]
        super().__init__(
            first.message, file=first.file, line=first.line, column=first.column, key=first.key
        )
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class EngineError(RolloutError):
    """The engine said no.  `status` is the HTTP status, 0 where there was none."""

    reference = "engine"

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status

    @property
    def may_pass(self) -> bool:
        """It says nothing about what was asked for: the engine is away, ill, or out of room."""
        return self.status >= 500


class EngineUnavailableError(EngineError):
    reference = "engine-unavailable"

    @property
    def may_pass(self) -> bool:
        return True


class NotFoundError(EngineError):
    reference = "not-found"


class NoImageError(NotFoundError):
    """Neither a registry nor the host has it under that name; the hint is what the registry
    said."""


class ConflictError(EngineError):
    reference = "conflict"


class ImpossibleError(EngineError):
    """The engine has understood what was asked for, and no other answer can come."""

    reference = "impossible"


class HeldError(RolloutError):
    exit_code = 7
    reference = "held"


class InterruptedRolloutError(RolloutError):
    """`left`: something that was in flight could not be finished soon, and goes on by itself, or
    with the next command."""

    exit_code = 130
    reference = "interrupted"

    def __init__(self, message: str, *, hint: str = "", left: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.left = left
