"""The global flags, as every command receives them."""

from __future__ import annotations

from typing import NamedTuple


class Settings(NamedTuple):
    host: str | None = None
    """An engine's URL; None: DOCKER_HOST, else the context, else the default socket."""
    context: str | None = None
    engine: str = "docker"
