"""A placement constraint as Swarm writes it: `key==value` or `key!=value`."""

from __future__ import annotations

import re

CONSTRAINT = re.compile(r"\s*([a-z][a-z0-9._-]*)\s*(==|!=)\s*(\S(?:.*\S)?)\s*", re.IGNORECASE)
"""Key, operator, value."""
