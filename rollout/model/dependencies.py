"""The order that `depends_on` makes of services."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def dependencies_first(depends_on: Mapping[str, Collection[str]]) -> list[str]:
    """Every service after those that it depends on.  A circle, which files of different times may
    make, is broken anywhere."""
    done: dict[str, None] = {}

    def visit(service: str, above: frozenset[str]) -> None:
        if service in done or service in above or service not in depends_on:
            return
        for dependency in depends_on[service]:
            visit(dependency, above | {service})
        done[service] = None

    for service in depends_on:
        visit(service, frozenset())
    return list(done)
