"""Compose's own variables, COMPOSE_…: what this program does as they say, and which it names.

Those that say which files are read, and how, are honoured where the files are found (finding.py,
load.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from rollout.compose.node import shown
from rollout.errors import UsageError
from rollout.model.stack import ComposeSettings

TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")
_PROGRESS = ("auto", "tty", "plain", "json", "quiet")
_ANSI = {"never": "plain", "always": "tty", "auto": ""}

NAMED = {
    "COMPOSE_BAKE": "images are built one after the other, without bake",
    "COMPOSE_DRY_RUN": "whatever the command does is done",
    "COMPOSE_EXPERIMENTAL": "there is nothing experimental to turn on",
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "Compose files are read from this host only",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "Compose files are read from this host only",
    "COMPOSE_EXPERIMENTAL_OTEL": "nothing is traced",
    "COMPOSE_EXPERIMENTAL_WATCH_TAR": "nothing is watched",
    "COMPOSE_MENU": "there is no menu",
}
"""What has no effect here, where it says yes to something, and why."""


def settings_of(environ: Mapping[str, str]) -> ComposeSettings:
    """Raises UsageError for a value that Compose refuses, too."""
    return ComposeSettings(
        remove_orphans=is_on(environ, "COMPOSE_REMOVE_ORPHANS"),
        ignore_orphans=is_on(environ, "COMPOSE_IGNORE_ORPHANS"),
        parallel=parallel_of(environ),
        progress=progress_of(environ),
    )


def without_effect(environ: Mapping[str, str]) -> list[str]:
    """One warning for each variable that is set and has no effect."""
    found = [
        f"{name} is set and has no effect: {why}"
        for name, why in sorted(NAMED.items())
        if is_on(environ, name)
    ]
    if environ.get("COMPOSE_STATUS_STDOUT") in FALSE:
        found.append("COMPOSE_STATUS_STDOUT is set and has no effect: progress goes to stdout")
    return found


def boolean(name: str, said: str) -> bool:
    """One of Compose's words for yes and no.  Raises UsageError for another."""
    if said in TRUE:
        return True
    if said in FALSE:
        return False
    raise UsageError(f"{name}: {shown(said)} is neither true nor false", hint="write 1 or 0")


def is_on(environ: Mapping[str, str], name: str) -> bool:
    """As Compose reads most of them: what is no word for yes means no."""
    return environ.get(name, "").strip().lower() in ("1", "t", "true")


def parallel_of(environ: Mapping[str, str]) -> int:
    """How many calls may be under way at once; 0 for no limit.  Raises UsageError."""
    said = environ.get("COMPOSE_PARALLEL_LIMIT")
    if said is None:
        return 0
    try:
        return max(int(said), 0) if said.isascii() else int("")
    except ValueError:
        raise UsageError(
            f"COMPOSE_PARALLEL_LIMIT: {shown(said)} is not a whole number",
            hint="write how many calls to the engine may be under way at once, or unset it",
        ) from None


def progress_of(environ: Mapping[str, str]) -> str:
    """How progress is shown where no flag says so; empty for what suits.  Raises UsageError."""
    said = environ.get("COMPOSE_PROGRESS", "")
    if said == "none":
        return "quiet"
    if said and said not in _PROGRESS:
        raise UsageError(
            f"COMPOSE_PROGRESS: {shown(said)} is not known", hint=f"use {', '.join(_PROGRESS)}"
        )
    if said not in ("", "auto"):
        return said
    return _ANSI.get(environ.get("COMPOSE_ANSI", ""), "")
