"""The small kinds that most keys of a Compose file are made of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from rollout.compose import short
from rollout.compose import values as v
from rollout.compose.kinds import Either, Fields, Keyed, Many, One
from rollout.compose.node import Node
from rollout.compose.words import split

NOT_YET = "is not supported by this version of rollout"


def itself(node: Node) -> Hashable:
    """The identity of an item that is a text."""
    return str(node.value)


STRING, FLAG = One(v.string), One(v.boolean)
WORD = One(v.string, keep=True)
"""In a list: printed though it is empty."""
COUNT, WHOLE = One(v.integer(0)), One(v.integer())
KEPT_COUNT = One(v.integer(0), keep=True)
DURATION, KEPT_DURATION = One(v.duration, zero="0s"), One(v.duration, keep=True)
SIZE, TEXT_SIZE = One(v.size_or_number, zero="0"), One(v.size, zero="0")
LIST = Many(WORD)
SET = Many(WORD, identity=itself)
"""What stands twice counts once."""
UNIQUE = Many(WORD, unique=True)
"""What stands twice is an error."""
ONE_OR_SET = Many(WORD, single=True, identity=itself)
LABELS = Keyed(One(v.text, keep=True), from_list=short.key_value)
ENVIRONMENT = Keyed(One(v.optional_text, keep=True), from_list=short.key_value)
OPTIONS = Keyed(One(v.string_or_number, keep=True))
LOG_OPTIONS = Keyed(One(v.string_number_or_nothing, keep=True))
SERVERS = Many(WORD, single=True, identity=itself, expand=short.not_empty)
NUMBERS = One(v.string_or_whole_number, keep=True)
TEXTS = Keyed(One(v.string, keep=True))
COMMAND = Many(WORD, split=split, replace=True, keep=True, nullable=True)
HOSTS = Many(One(short.host), from_map=short.hosts, identity=itself, ordered=True, unique=True)

_LIMIT = One(v.integer(-1), keep=True)


class _Ulimit(Either):
    """`nofile: 100` is one limit for soft and hard."""

    def show(self, node: Node) -> Any:
        return {"soft": 0, "hard": 0} if node.value == 0 else super().show(node)


ULIMITS = Keyed(
    _Ulimit(_LIMIT, Fields({"soft": _LIMIT, "hard": _LIMIT}, required=("soft", "hard")))
)
