"""The Compose file's grammar: the top level, and what services share.

Kinds come from kinds.py, single values from values.py, short forms from short.py.  Whether this
engine can do what a key asks for is not said here but in support.py.
"""

from __future__ import annotations

import re
from functools import partial

from rollout.compose import short
from rollout.compose import values as v
from rollout.compose.grammar import FLAG, LABELS, ONE_OR_SET, OPTIONS, STRING, TEXTS
from rollout.compose.kinds import FREE, Fields, Keyed, Many, One
from rollout.compose.node import BAD, Node
from rollout.compose.schema_service import SERVICE

_NAME = re.compile(r"[a-zA-Z0-9._-]+")


def _name(key: str) -> str:
    return "" if _NAME.fullmatch(key) else "a name has letters, digits and . _ - only"


class _Pools(Many):
    """Address pools: the later file's, each over the earlier one's of the same subnet."""

    def merge(self, base: Node, over: Node) -> Node:
        earlier = {each.get("subnet"): each for each in base.items if each.tag != BAD}
        return over.of([self.merged(earlier.get(each.get("subnet")), each) for each in over.items])

    def merged(self, earlier: Node | None, pool: Node) -> Node:
        return pool if earlier is None or pool.tag == BAD else self.item.merge(earlier, pool)


_named = partial(Keyed, known=_name)
_resource = partial(Fields, short=short.external)

NETWORK = _resource(
    {
        "name": STRING,
        "driver": STRING,
        "driver_opts": OPTIONS,
        "ipam": Fields(
            {
                "driver": STRING,
                "config": _Pools(
                    Fields(
                        {
                            "subnet": STRING,
                            "gateway": STRING,
                            "ip_range": STRING,
                            "aux_addresses": TEXTS,
                        }
                    )
                ),
                "options": TEXTS,
            },
            keep=False,
        ),
        "external": FLAG,
        "internal": FLAG,
        "attachable": FLAG,
        "labels": LABELS,
        "enable_ipv4": One(v.boolean, keep=True),
        "enable_ipv6": One(v.boolean, keep=True),
    },
    nullable=True,
)

NAMED_VOLUME = _resource(
    {
        "name": STRING,
        "driver": STRING,
        "driver_opts": OPTIONS,
        "external": FLAG,
        "labels": LABELS,
    },
    nullable=True,
)

FILE = _resource(
    {
        "name": STRING,
        "file": STRING,
        "environment": STRING,
        "content": STRING,
        "external": FLAG,
        "labels": LABELS,
        "driver": STRING,
        "driver_opts": OPTIONS,
        "template_driver": STRING,
    }
)

INCLUDE = Fields(
    {"path": ONE_OR_SET, "project_directory": STRING, "env_file": ONE_OR_SET},
    required=("path",),
    short=short.include,
    extensions=False,
)

ROOT = Fields(
    {
        "version": STRING,
        "name": STRING,
        "include": Many(INCLUDE, nullable=True),
        "services": _named(SERVICE),
        "networks": _named(NETWORK),
        "volumes": _named(NAMED_VOLUME),
        "secrets": _named(FILE),
        "configs": _named(FILE),
        "models": FREE,
    }
)
