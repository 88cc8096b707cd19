"""A project → the text that `docker compose config` prints: YAML or JSON, keys in its order.

A dollar is printed as `$$`, so that the text can be read again and means the same.
"""

from __future__ import annotations

import json
import re
from typing import Any

from rollout.compose.node import Node
from rollout.compose.scalars import resolve
from rollout.compose.schema import ROOT

_OLD_BOOL = re.compile(r"y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
_FIRST = ("name", "services", "networks", "volumes", "secrets", "configs")


def to_data(root: Node) -> dict[str, Any]:
    """The project as plain data, as `docker compose config --format json` gives it."""
    shown = ROOT.show(root)
    first = {key: shown[key] for key in _FIRST if key in shown}
    return dict(_escaped({**first, **{k: v for k, v in shown.items() if k not in first}}))


def to_json(root: Node) -> str:
    data = to_data(root)
    for service in data.get("services", {}).values():
        service.setdefault("command", None)
        service.setdefault("entrypoint", None)
    return json.dumps(data, indent=2, ensure_ascii=False)


def to_yaml(root: Node) -> str:
    import yaml  # noqa: PLC0415  lazy: 45 ms

    class Dumper(yaml.SafeDumper):
        """Lists stand two spaces in, text is quoted where an older reader could take it wrong."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    Dumper.add_representer(str, text)
    return yaml.dump(to_data(root), Dumper=Dumper, sort_keys=False, width=2**31, allow_unicode=True)


def _style(value: str) -> str | None:
    if "\n" in value:
        return "|"
    ambiguous = not isinstance(resolve(value), str) or resolve(value) != value
    if ambiguous or _OLD_BOOL.fullmatch(value) or _BASE_60.fullmatch(value):
        return '"'
    return None


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return value
