"""What reading a service needs of the project around it."""

from __future__ import annotations

from msgspec import Struct

from rollout.compose.complete import Project
from rollout.compose.node import Report
from rollout.compose.read_files import Contents
from rollout.model.spec import Network, Volume


class Parts(Struct, frozen=True, kw_only=True):
    project: Project
    networks: dict[str, Network]
    """By their key in the file, as `volumes`."""
    volumes: dict[str, Volume]
    contents: Contents
    completes: frozenset[str]
    """Services that others wait for to complete."""
    report: Report
