"""`--filter KEY=VALUE`, as `docker service ps` and `docker service ls` take it.

One key given several times: any of its values will do.  Several keys: each must fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from rollout.errors import UsageError

T = TypeVar("T")
Fits = Callable[[T, str], bool]


def chosen(things: Iterable[T], filters: Iterable[str], keys: Mapping[str, Fits[T]]) -> list[T]:
    """Those that fit.  `keys`: what can be asked for, and how it is answered.

    Raises UsageError for another key, or for none.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for text in filters:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f'invalid argument "{text}" for --filter: use KEY=VALUE')
        if key not in keys:
            raise UsageError(f'invalid filter "{key}"', hint=f"use {', '.join(sorted(keys))}")
        wanted[key].append(value)
    return [
        each
        for each in things
        if all(any(keys[key](each, value) for value in values) for key, values in wanted.items())
    ]
