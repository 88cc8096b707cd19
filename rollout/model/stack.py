"""A stack: what one Compose file asks for."""

from __future__ import annotations

from msgspec import Struct

from rollout.model.spec import Network, ServiceSpec, Volume


class Build(Struct, frozen=True, kw_only=True):
    """How a service's image is made.  Paths are absolute."""

    context: str
    dockerfile: str = ""
    dockerfile_inline: str = ""
    args: dict[str, str | None] = {}
    target: str = ""
    labels: dict[str, str] = {}
    network: str = ""
    platforms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pull: bool = False
    no_cache: bool = False
    extra_hosts: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()


class ComposeSettings(Struct, frozen=True, kw_only=True):
    """What Compose's own variables ask of a command, from the environment or `.env`."""

    remove_orphans: bool = False
    ignore_orphans: bool = False
    parallel: int = 0
    """Calls to the engine under way at once, at the most; 0 for no limit."""
    progress: str = ""
    """How progress is shown where no flag says so."""


class Stack(Struct, frozen=True, kw_only=True):
    name: str
    services: tuple[ServiceSpec, ...]
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    builds: dict[str, Build] = {}
    """Service name → how to build its image."""
    contents: dict[str, bytes] = {}
    """Digest → content of the configs and secrets that services mount."""
    warnings: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    """Services whose profiles are off: not deployed, and not pruned either, as they are in the
    file."""
    settings: ComposeSettings = ComposeSettings()

    def service(self, name: str) -> ServiceSpec | None:
        return next((each for each in self.services if each.name == name), None)
