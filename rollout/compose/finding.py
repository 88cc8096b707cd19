"""Which files a project is read from, and which variables they see: found as Compose finds them.

Variables are those of the environment, then those of `--env-file` or COMPOSE_ENV_FILES; where there
is neither, those of the `.env` beside the first file.  That `.env` may say COMPOSE_FILE, which
counts where no file is named by `-c`.  Where the first of those files lies in another folder, the
`.env` beside it is read, too, and what is known already stays.
"""

from __future__ import annotations

import os
import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rollout.compose.environment import env_file_variables
from rollout.compose.node import shown
from rollout.compose.reader import STDIN
from rollout.compose.settings import boolean
from rollout.errors import FileError, UsageError

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_DISABLE = "COMPOSE_DISABLE_ENV_FILE"


class Sources(Struct, frozen=True, kw_only=True):
    files: tuple[str, ...]
    """Paths from the folder the command is typed in, or `-`; at least one."""
    folder: Path
    """The first file's: the project's."""
    environ: Mapping[str, str]
    """What variables in the files see, and Compose's own settings."""
    warnings: tuple[str, ...] = ()


def find(
    files: Sequence[str], env_files: Sequence[str], environ: Mapping[str, str], cwd: Path
) -> Sources:
    """Raises UsageError where there is no file, FileError for a file of variables."""
    if not env_files and (listed := environ.get("COMPOSE_ENV_FILES")):
        env_files = listed.split(",")
        if not all(env_files):
            raise UsageError(
                f"COMPOSE_ENV_FILES: {shown(listed)} names a file without a name",
                hint="write names with one comma between them",
            )
    named = [cwd / each for each in env_files]
    chosen, _ = _chosen(files, environ, cwd, "")
    known = _with_files(environ, named, _folder(chosen, cwd))
    said_in = "" if "COMPOSE_FILE" in environ else f" in {', '.join(env_files) or '.env'}"
    chosen, warnings = _chosen(files, known, cwd, said_in)
    if not chosen:
        raise UsageError("no Compose file here", hint="name one with -c FILE")
    folder = _folder(chosen, cwd)
    seen = known if named else _with_files(known, named, folder)
    return Sources(files=tuple(chosen), folder=folder, environ=seen, warnings=warnings)


def _with_files(environ: Mapping[str, str], named: Sequence[Path], folder: Path) -> dict[str, str]:
    """With what the files named say, or the `.env` of the folder; what is known already wins."""
    paths = named
    if not named:
        disabled = environ.get(_DISABLE)
        if disabled is not None and boolean(_DISABLE, disabled):
            return dict(environ)
        here = folder / ".env"
        paths = [here] if os.path.exists(here) and not os.path.isdir(here) else []  # noqa: PTH110, PTH112  never raise
    found = env_file_variables(paths, environ)
    if "" in found:
        raise FileError(
            "a variable has no name", file=", ".join(map(str, paths)), hint="write NAME=value"
        )
    return {**found, **environ}


def _chosen(
    files: Sequence[str], environ: Mapping[str, str], cwd: Path, where: str
) -> tuple[list[str], tuple[str, ...]]:
    """The files: those named, those of COMPOSE_FILE, or what lies here or above; and warnings.

    Raises UsageError where COMPOSE_FILE cannot be.
    """
    if files:
        return list(files), ()
    listed = environ.get("COMPOSE_FILE")
    if listed is not None:
        separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        found = listed.split(separator)
        for each in found:
            if each != STDIN and (not each or not os.path.exists(cwd / each)):  # noqa: PTH110  never raises
                what = f"{shown(each)}: no such file" if each else f"{shown(listed)} names no file"
                raise UsageError(
                    f"COMPOSE_FILE{where}: {what}",
                    hint=f"paths start at {cwd}, with {shown(separator)} between them",
                )
        return found, ()
    for folder in (cwd, *cwd.parents):
        main, several = _first(folder, NAMES)
        if main:
            override, more = _first(folder, OVERRIDES)
            return [main, *([override] if override else [])], (*several, *more)
    return [], ()


def _first(folder: Path, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    there = [name for name in names if os.path.exists(folder / name)]  # noqa: PTH110  never raises
    if not there:
        return "", ()
    others = ", ".join(there[1:])
    warning = f"{folder}: {there[0]} is read, {others} beside it is not"
    return str(folder / there[0]), ((warning,) if others else ())


def _folder(files: Sequence[str], cwd: Path) -> Path:
    named = next((each for each in files if each != STDIN), None)
    return cwd if named is None else Path(os.path.normpath(cwd / named)).parent
