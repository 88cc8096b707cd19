"""Which volumes without a name a task takes over, and which go with a container.  Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from rollout.engine.docker.anonymous import (
    creation,
    go_with_it,
    held,
    own_volumes,
    places,
    two_writers,
)
from rollout.engine.docker.translate import creation as container_of
from rollout.model import labels
from rollout.model.canonical import canonical
from rollout.model.spec import FileMount, Mount, Order, ServiceSpec, TaskSpec, UpdateConfig
from tests.support.engine import revision

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
RAN = "2026-11-25T12:00:00Z"
NEVER = "0001-01-01T00:00:00Z"


def spec(**task: Any) -> ServiceSpec:
    return ServiceSpec(name="db", task=TaskSpec(image="db", **task))


def container(
    has: dict[str, str],
    *,
    made_from: ServiceSpec | None = None,
    of_image: tuple[str, ...] = (),
    asked: dict[str, str] | None = None,
    binds: tuple[str, ...] = (),
    volumes_from: tuple[str, ...] = (),
    started: str = RAN,
) -> dict[str, Any]:
    """As inspected: `has` is target → volume, `asked` what its definition mounts."""
    return {
        "Config": {
            "Labels": {labels.SPEC: canonical(made_from)} if made_from else {},
            "Volumes": {path: {} for path in of_image},
        },
        "HostConfig": {
            "Mounts": [
                {"Type": "volume", "Target": target, **({"Source": name} if name else {})}
                for target, name in (asked or {}).items()
            ],
            "Binds": list(binds),
            "VolumesFrom": list(volumes_from),
        },
        "Mounts": [
            {"Type": "volume", "Destination": target, "Name": name} for target, name in has.items()
        ],
        "State": {"StartedAt": started},
    }


def test_the_image_and_the_file_ask_for_them() -> None:
    mounts = (
        Mount(type="volume", target="/more/"),
        Mount(type="volume", target="/named", source="data"),
        Mount(type="tmpfs", target="/tmp"),
    )
    task = TaskSpec(image="db", mounts=mounts)

    assert list(places(task, ("/data", "/named/", "/tmp"))) == ["/data", "/more"]
    assert list(places(task, ("/data",), elsewhere={"/data", "/more"})) == ["/more"]


def test_what_a_container_keeps_without_a_name() -> None:
    by_compose = container({"/data": ONE, "/named": "p_x"}, of_image=("/data", "/named"))
    by_compose["HostConfig"]["Binds"] = ["p_x:/named:rw"]
    assert held(by_compose) == {"/data": ONE}

    recreated = container({"/data": ONE}, of_image=("/data",), asked={"/data": ONE})
    assert held(recreated) == {"/data": ONE}

    ours = container(
        {"/data": ONE, "/x": THREE},
        of_image=("/data",),
        asked={"/data": ONE, "/x": THREE},
        made_from=spec(mounts=(Mount(type="volume", target="/x", source=THREE),)),
    )
    assert held(ours) == {"/data": ONE}


def test_what_is_another_containers_is_not_taken() -> None:
    shares = container({"/data": ONE, "/other": TWO}, of_image=("/data",), volumes_from=("x",))
    assert held(shares, {ONE, TWO}) == {}
    assert held(shares, {TWO}) == {"/data": ONE}


def test_fresh_ones_and_folders_of_files_are_not_taken() -> None:
    fresh = spec(fresh_volumes=True)
    assert held(container({"/c": ONE}, of_image=("/c",), made_from=fresh)) == {}

    file = FileMount(kind="secret", source="s", target="/run/secrets/s", digest="d")
    reads = spec(read_only=True, files=(file,))
    has = {"/run/secrets": ONE, "/data": TWO}
    raw = container(has, of_image=("/data",), asked={"/run/secrets": ""}, made_from=reads)
    assert held(raw) == {"/data": TWO}
    assert own_volumes(raw) == {ONE}


def test_only_what_holds_nothing_goes_with_a_container() -> None:
    used = container({"/data": ONE}, of_image=("/data",), made_from=spec())
    assert not go_with_it(used)
    assert go_with_it(container({"/data": ONE}, of_image=("/data",), started=NEVER))
    assert go_with_it(container({"/d": ONE}, of_image=("/d",), made_from=spec(fresh_volumes=True)))
    # The engine lets alone what the container's definition names.
    assert go_with_it(container({"/data": ONE}, of_image=("/data",), asked={"/data": ONE}))
    # It would remove what the container has from another one that is gone meanwhile.
    for started in (RAN, NEVER):
        assert not go_with_it(container({"/data": ONE}, volumes_from=("x",), started=started))


def test_a_slots_volume_is_found_again_by_its_name() -> None:
    mount = Mount(type="volume", target="/data", labels={"a": "b"})
    one, other = creation("st", "db", 1, mount), creation("st", "db", 2, mount)

    assert one == creation("st", "db", 1, replace(mount, target="/data/"))
    assert one["Name"] != other["Name"]
    assert one["Labels"]["a"] == "b"
    assert one["Labels"][labels.VOLUME] == "/data"


def test_a_task_mounts_what_it_was_given() -> None:
    """The definition in its label is what the file says."""
    wanted = spec(mounts=(Mount(type="volume", target="/data"),))
    given = {"/data": Mount(type="volume", target="/data", source=ONE)}
    made = container_of(revision("st", wanted), 1, "id", api=(1, 41), namespaces={}, volumes=given)

    assert [each["Source"] for each in made.config["HostConfig"]["Mounts"]] == [ONE]
    assert made.config["Labels"][labels.SPEC] == canonical(wanted)


def test_two_at_once_are_refused() -> None:
    start_first = UpdateConfig(order=Order.START_FIRST)
    plain = spec()
    assert two_writers(plain, ("/data",)) == ()
    assert two_writers(replace(plain, update=start_first), ()) == ()
    (why,) = two_writers(replace(plain, update=start_first), ("/data",))
    assert "update_config.order" in why
    assert "/data" in why
    (why,) = two_writers(replace(plain, rollback=start_first), ("/data",))
    assert "rollback_config.order" in why
    fresh = replace(spec(fresh_volumes=True), update=start_first)
    assert two_writers(fresh, ("/data",)) == ()
