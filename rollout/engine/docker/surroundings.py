"""Networks and volumes of a stack: made where missing, networks cleared away at the end.

They carry Compose's labels too, so that `docker compose` takes them for its own.  Networks are not
unique by name in Docker: of two made at the same moment, the one with the lower id stays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.placeholders import volume_names
from rollout.errors import ConflictError, EngineError, NotFoundError
from rollout.model import labels
from rollout.model.spec import Network, ServiceSpec, Volume

_PREDEFINED = frozenset({"bridge", "host", "none"})
_POOL = {
    "subnet": "Subnet",
    "gateway": "Gateway",
    "ip_range": "IPRange",
    "aux_addresses": "AuxiliaryAddresses",
}
_BUSY = (403, 409)


def ensure(api: Api, spec: ServiceSpec, stack: str) -> tuple[str, ...]:
    """The result is what was there already with other settings, one line each: it stays as it is.
    Which settings is said, not what they are: options may hold passwords.

    Raises NotFoundError where something external is missing.
    """
    found = []
    for network in spec.networks:
        if network.name not in _PREDEFINED:
            found += _ensure_network(api, network, stack)
    for volume in spec.volumes:
        for name in volume_names(volume.name, spec, stack):
            found += _ensure_volume(api, replace(volume, name=name), stack)
    return tuple(found)


def clear(api: Api, stack: str) -> tuple[str, ...]:
    """Removes the stack's networks that nothing is connected to; of others it is said who is."""
    left = []
    for network in api.networks(label=[f"{labels.COMPOSE_PROJECT}={stack}"]):
        try:
            api.remove_network(network["Id"])
        except NotFoundError:
            continue
        except EngineError as error:
            if error.status not in _BUSY:
                raise
            name = str(network["Name"])
            left.append(
                f"network {name} stays, used by {_who_holds(api, network)}; "
                f"`docker network rm {name}` when nothing uses it"
            )
    return tuple(left)


def _who_holds(api: Api, network: Json) -> str:
    try:
        held = api.network(str(network["Id"])).get("Containers") or {}
    except NotFoundError:
        held = {}
    return ", ".join(sorted(str(each.get("Name")) for each in held.values())) or "something"


def missing_volumes(api: Api, specs: Iterable[ServiceSpec], stack: str) -> tuple[str, ...]:
    """Those that `ensure` would create."""
    wanted = {
        name
        for spec in specs
        for volume in spec.volumes
        if not volume.external
        for name in volume_names(volume.name, spec, stack)
    }
    return tuple(sorted(name for name in wanted if not _has_volume(api, name)))


def missing(api: Api, spec: ServiceSpec, stack: str) -> list[str]:
    """What is external and not there, each as one line."""
    networks = [
        f"external network {network.name} does not exist (docker network create {network.name})"
        for network in spec.networks
        if network.external and network.name not in _PREDEFINED and not _ids(api, network.name)
    ]
    volumes = [
        f"external volume {name} does not exist (docker volume create {name})"
        for volume in spec.volumes
        for name in volume_names(volume.name, spec, stack)
        if volume.external and not _has_volume(api, name)
    ]
    return networks + volumes


def _ensure_network(api: Api, network: Network, stack: str) -> list[str]:
    there = _networks(api, network.name)
    config = network_config(network, stack)
    if there:
        other = [] if network.external else list(_network_settings(config, there[0]))
        return _stays(f"network {network.name}", f"docker network rm {network.name}", other)
    if network.external:
        raise NotFoundError(
            f"external network {network.name} does not exist",
            hint=f"create it: docker network create {network.name}",
        )
    try:
        made = api.create_network(config)
    except ConflictError:
        return []
    first = min(_ids(api, network.name), default=made)
    if made != first:
        with contextlib.suppress(EngineError):  # in use already: then it is the one that stays
            api.remove_network(made)
    return []


def _network_settings(config: Json, there: Json) -> Iterator[str]:
    """In which of the file's keys a network differs; what the file leaves open is not compared."""
    for key, wanted, has in (
        ("driver", config["Driver"], there.get("Driver")),
        ("internal", config["Internal"], there.get("Internal")),
        ("attachable", config["Attachable"], there.get("Attachable")),
        ("enable_ipv6", config["EnableIPv6"], there.get("EnableIPv6")),
    ):
        if wanted != has:
            yield key
    if not config["Options"].items() <= (there.get("Options") or {}).items():
        yield "driver_opts"
    pools = (there.get("IPAM") or {}).get("Config") or []
    for wanted in config["IPAM"].get("Config", ()):
        if not any(wanted.items() <= pool.items() for pool in pools):
            yield "ipam"
            return


def _stays(what: str, removal: str, other: list[str]) -> list[str]:
    if not other:
        return []
    keys = ", ".join(other)
    return [f"{what} is there with another {keys}, and stays so; `{removal}` when nothing uses it"]


def network_config(network: Network, stack: str) -> Json:
    """An overlay network of a stack file is a bridge here: it spans one host."""
    ipam: Json = {"Driver": network.ipam_driver or "default"}
    if network.ipam_options:
        ipam["Options"] = network.ipam_options
    if network.subnets:
        ipam["Config"] = [
            {_POOL[key]: value for key, value in subnet.items()} for subnet in network.subnets
        ]
    ipv4 = {} if network.enable_ipv4 else {"EnableIPv4": False}
    return {
        **ipv4,
        "Name": network.name,
        "CheckDuplicate": True,
        "Driver": "bridge" if network.driver in ("", "overlay") else network.driver,
        "Options": network.driver_opts,
        "Internal": network.internal,
        "Attachable": network.attachable,
        "EnableIPv6": network.enable_ipv6,
        "IPAM": ipam,
        "Labels": {
            **network.labels,
            labels.STACK: stack,
            labels.COMPOSE_PROJECT: stack,
            labels.COMPOSE_NETWORK: network.key,
        },
    }


def _ensure_volume(api: Api, volume: Volume, stack: str) -> list[str]:
    if volume.external:
        if not _has_volume(api, volume.name):
            raise NotFoundError(
                f"external volume {volume.name} does not exist",
                hint=f"create it: docker volume create {volume.name}",
            )
        return []
    there = api.create_volume(
        {
            "Name": volume.name,
            "Driver": volume.driver or "local",
            "DriverOpts": volume.driver_opts,
            "Labels": {
                **volume.labels,
                labels.STACK: stack,
                labels.COMPOSE_PROJECT: stack,
                labels.COMPOSE_VOLUME: volume.key,
            },
        }
    )
    other = [] if there.get("Driver") == (volume.driver or "local") else ["driver"]
    if (there.get("Options") or {}) != volume.driver_opts:
        other.append("driver_opts")
    return _stays(f"volume {volume.name}", f"docker volume rm {volume.name}", other)


def _networks(api: Api, name: str) -> list[Json]:
    """The engine's filter finds parts of names too."""
    return [each for each in api.networks(name=[name]) if each["Name"] == name]


def _ids(api: Api, network: str) -> list[str]:
    return [str(each["Id"]) for each in _networks(api, network)]


def _has_volume(api: Api, volume: str) -> bool:
    return any(each["Name"] == volume for each in api.volumes(name=[volume]))
