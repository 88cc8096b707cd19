"""A project → the text that `docker compose config` prints: YAML or JSON, keys in its order.

A dollar is printed as `$$`, so that the text can be read again and means the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from rollout.compose import emit
from rollout.compose.kinds import OUR_EXTENSION
from rollout.compose.node import Node
from rollout.compose.order import Map
from rollout.compose.schema import NETWORK, ROOT
from rollout.compose.schema_deploy import DEPLOY
from rollout.compose.schema_service import SERVICE, WATCH

_FIRST = ("name", "services", "networks", "volumes", "secrets", "configs")
_ALWAYS = ("command", "entrypoint")
_NOT_OF_THE_CONTAINER = ("build", "pull_policy", "scale", OUR_EXTENSION)


def to_data(root: Node) -> dict[str, Any]:
    """The project as plain data, as `docker compose config` gives it."""
    return dict(_escaped(_shown(root)))


def _shown(root: Node) -> dict[str, Any]:
    shown = {"services": Map(), **ROOT.show(root)}
    first = {key: shown[key] for key in _FIRST if key in shown}
    return {**first, **{key: each for key, each in shown.items() if key not in first}}


def to_yaml(root: Node) -> str:
    return emit.to_yaml(_shown(root)).replace("$", "$$")


def to_json(root: Node) -> str:
    return emit.to_json(_with_empty(_shown(root))).replace("$", "$$")


def hashes(root: Node) -> dict[str, str]:
    """Service → the digest by which Compose knows that a container is out of date."""
    services = _with_empty(_shown(root))["services"]
    return {name: _digest(services[name]) for name in sorted(services)}


def _digest(service: Mapping[str, Any]) -> str:
    """Over all that makes the container: not what builds it, and not how many there are."""
    kept = {key: each for key, each in service.items() if key not in _NOT_OF_THE_CONTAINER}
    if "deploy" in kept:
        kept["deploy"] = {k: each for k, each in kept["deploy"].items() if k != "replicas"}
    return hashlib.sha256(emit.to_json(kept, compact=True).encode()).hexdigest()


def _with_empty(data: dict[str, Any]) -> dict[str, Any]:
    """What Compose's JSON holds though it is empty; its keys are sorted at the top."""
    said = {key: _without_extensions(each) for key, each in sorted(data.items())}
    found = {k: each for k, each in said.items() if each or k == "services" or k[:2] == "x-"}
    found["services"] = Map({k: _service(each) for k, each in found["services"].items()})
    if networks := found.get("networks"):
        found["networks"] = Map({k: _network(each or {}) for k, each in networks.items()})
    return found


def _without_extensions(value: Any) -> Any:
    """Compose's JSON has those of the project only; ours, the one that means something, too."""
    if isinstance(value, list):
        return [_without_extensions(each) for each in value]
    if isinstance(value, Map):
        return Map({key: _without_extensions(each) for key, each in value.items()})
    if isinstance(value, dict):
        known = [key for key in value if not key.startswith("x-") or key == OUR_EXTENSION]
        return {key: _without_extensions(value[key]) for key in known}
    return value


def _service(service: dict[str, Any]) -> dict[str, Any]:
    keys = [key for key in SERVICE.table if key in service or key in _ALWAYS]
    found = {key: service.get(key) for key in (*keys, *(k for k in service if k not in keys))}
    if (deploy := service.get("deploy")) is not None:
        found["deploy"] = _in_order(deploy, DEPLOY.table, "resources", "placement")
    for key in ("post_start", "pre_stop"):
        if hooks := service.get(key):
            found[key] = [{"command": None, **each} for each in hooks]
    for key, as_json in _OTHERWISE.items():
        if key in service:
            found[key] = as_json(service[key])
    return found


def _watched(develop: dict[str, Any]) -> dict[str, Any]:
    """Each has a command to run, be it none."""
    if "watch" not in develop:
        return develop
    watches = [_in_order(each, WATCH.table, "exec") for each in develop["watch"]]
    return {**develop, "watch": [{**w, "exec": {"command": None, **w["exec"]}} for w in watches]}


def _block_io(config: dict[str, Any]) -> dict[str, Any]:
    """The fields of a device bear their names in Go."""
    return {
        key: [{k.capitalize(): e for k, e in device.items()} for device in each]
        if isinstance(each, list)
        else each
        for key, each in config.items()
    }


def _limits(ulimits: dict[str, Any]) -> dict[str, Any]:
    """A zero is left out."""
    return Map(
        {
            key: {k: e for k, e in each.items() if e} if isinstance(each, dict) else each
            for key, each in ulimits.items()
        }
    )


def _env_files(files: list[dict[str, Any]]) -> list[Any]:
    """One that must be there is its path."""
    return [each["path"] if each.get("required", True) else each for each in files]


_OTHERWISE: dict[str, Callable[[Any], Any]] = {
    "develop": _watched,
    "blkio_config": _block_io,
    "ulimits": _limits,
    "env_file": _env_files,
}
"""What Compose's JSON says in other words than its YAML."""


def _network(network: dict[str, Any]) -> dict[str, Any]:
    return _in_order(network, NETWORK.table, "ipam")


def _in_order(said: dict[str, Any], table: Mapping[str, Any], *empty: str) -> dict[str, Any]:
    """With empty mappings where there is nothing, in their place."""
    known = [key for key in table if key in said or key in empty]
    return {key: said.get(key, {}) for key in (*known, *(k for k in said if k not in known))}


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {_escaped(key): _escaped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return value
