"""What the flags of `update` do to a definition: the rules of `docker service update`."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.cli.edits import edit
from rollout.cli.options import UPDATE_FLAGS, given
from rollout.errors import UsageError
from rollout.model.canonical import task_digest
from rollout.model.spec import (
    FailureAction,
    Healthcheck,
    Logging,
    Mode,
    Mount,
    Network,
    NetworkAttachment,
    Order,
    Port,
    RestartCondition,
    ServiceSpec,
    TaskSpec,
)
from tests.support.shown import PINNED, spec


def _edit(before: ServiceSpec | None = None, /, **flags: Any) -> ServiceSpec:
    named = {name.replace("_", "-"): value for name, value in flags.items()}
    return edit(before or spec(), named, environ={"HERE": "here"})


def _task(**fields: Any) -> ServiceSpec:
    return spec(task=TaskSpec(image=PINNED, **fields))


def test_no_flags_change_nothing() -> None:
    assert _edit() == spec()


def test_a_new_image_is_as_it_was_written() -> None:
    after = _edit(image="bb:v2")

    assert (after.image, after.task.image, after.task.image_id) == ("bb:v2", "bb:v2", "")


def test_force_makes_every_task_out_of_date() -> None:
    before = spec()

    after = _edit(before, force=True)

    assert after.task.force == 1
    assert task_digest(after.task) != task_digest(before.task)


def test_replicas_and_cadence_leave_the_task_alone() -> None:
    after = _edit(
        replicas=7,
        update_parallelism=2,
        update_delay="10s",
        update_failure_action="rollback",
        update_monitor="1s",
        update_max_failure_ratio=0.5,
        update_order="start-first",
        rollback_parallelism=0,
        rollback_failure_action="continue",
        label_add=("a=b",),
    )

    assert after.task == spec().task
    assert after.replicas == 7
    assert after.update.parallelism == 2
    assert after.update.delay_s == 10
    assert after.update.failure_action is FailureAction.ROLLBACK
    assert after.update.monitor_s == 1
    assert after.update.max_failure_ratio == 0.5
    assert after.update.order is Order.START_FIRST
    assert after.rollback.parallelism == 0
    assert after.rollback.failure_action is FailureAction.CONTINUE
    assert after.labels == {"a": "b"}


def test_env_add_replaces_the_same_key_and_takes_a_bare_key_from_here() -> None:
    before = _task(environment={"A": "1", "B": "2", "C": "3"})

    after = _edit(before, env_rm=("B", "NOT_THERE"), env_add=("A=9", "HERE", "NOWHERE"))

    assert after.task.environment == {"A": "9", "C": "3", "HERE": "here", "NOWHERE": None}


def test_rm_goes_before_add() -> None:
    """As in Swarm: the same key removed and added is there afterwards."""
    after = _edit(_task(environment={"A": "1"}), env_rm=("A",), env_add=("A=2",))

    assert after.task.environment == {"A": "2"}


def test_container_labels_are_the_task_s_and_labels_the_service_s() -> None:
    after = _edit(container_label_add=("c=d",), label_add=("a=b",))

    assert after.task.labels == {"c": "d"}
    assert after.labels == {"a": "b"}


def test_args_replace_the_command_and_empty_ones_go_back_to_the_image_s() -> None:
    before = _task(command=("sleep", "1"))

    assert _edit(before, args='sh -c "sleep 1; exit 3"').task.command == (
        "sh",
        "-c",
        "sleep 1; exit 3",
    )
    assert _edit(before, args="").task.command is None


def test_ports_are_added_once_and_removed_by_target() -> None:
    port = Port(target=80, published=(8080, 8080))
    before = _task(ports=(port, Port(target=53, published=(53, 53), protocol="udp")))

    assert _edit(before, publish_add=("8080:80",)).task.ports == before.task.ports
    assert _edit(before, publish_rm=("53/udp",)).task.ports == (port,)
    assert _edit(before, publish_rm=("53",)).task.ports == before.task.ports
    assert _edit(before, publish_rm=("80",), publish_add=("9090:80",)).task.ports == (
        Port(target=53, published=(53, 53), protocol="udp"),
        Port(target=80, published=(9090, 9090)),
    )


def test_a_mount_replaces_the_one_with_the_same_target() -> None:
    before = _task(mounts=(Mount(type="volume", source="old", target="/data"),))

    after = _edit(before, mount_add=("source=new,target=/data",))

    assert [mount.source for mount in after.task.mounts] == ["new"]
    assert _edit(before, mount_rm=("/data",)).task.mounts == ()
    with pytest.raises(UsageError, match="duplicate mount target /x"):
        _edit(before, mount_add=("source=a,target=/x", "source=b,target=/x"))


def test_a_network_of_the_stack_is_known_by_its_short_name() -> None:
    before = spec(networks=(Network(key="front", name="st_front"),))

    after = _edit(before, network_add=("front", "name=outside,alias=web"))

    assert after.task.networks == (
        NetworkAttachment(name="st_front"),
        NetworkAttachment(name="outside", aliases=("web",)),
    )
    assert after.networks[-1] == Network(key="outside", name="outside", external=True)
    assert _edit(after, network_rm=("front",)).task.networks == (
        NetworkAttachment(name="outside", aliases=("web",)),
    )


def test_health_flags_change_only_their_part() -> None:
    before = _task(healthcheck=Healthcheck(test=("CMD", "true"), interval_s=5))

    after = _edit(before, health_retries=2, health_timeout="3s").task.healthcheck

    assert after == Healthcheck(test=("CMD", "true"), interval_s=5, timeout_s=3, retries=2)
    assert _edit(before, health_cmd="curl x").task.healthcheck == Healthcheck(
        test=("CMD-SHELL", "curl x"), interval_s=5
    )


def test_a_health_check_is_turned_off_and_on_again() -> None:
    off = _edit(no_healthcheck=True)

    assert off.task.healthcheck == Healthcheck(test=("NONE",))
    assert _edit(off, health_cmd="true").task.healthcheck == Healthcheck(test=("CMD-SHELL", "true"))
    with pytest.raises(UsageError, match="--no-healthcheck conflicts with --health-"):
        _edit(no_healthcheck=True, health_cmd="true")


def test_limits_and_stopping() -> None:
    task = _edit(
        limit_cpu="0.5",
        limit_memory="64m",
        limit_pids=9,
        reserve_memory="32m",
        stop_grace_period="1s",
        stop_signal="INT",
        user="1:2",
        workdir="/w",
        hostname="h",
        init=True,
        read_only=False,
    ).task

    assert task.resources.cpu_limit == 500_000_000
    assert task.resources.memory_limit == 64 * 2**20
    assert task.resources.pids_limit == 9
    assert task.resources.memory_reservation == 32 * 2**20
    assert (task.stop_grace_s, task.stop_signal) == (1.0, "INT")
    assert (task.user, task.working_dir, task.hostname) == ("1:2", "/w", "h")
    assert task.init is True


def test_restart_flags() -> None:
    restart = _edit(restart_condition="on-failure", restart_max_attempts=3).task.restart

    assert restart.condition is RestartCondition.ON_FAILURE
    assert (restart.max_attempts, restart.delay_s) == (3, 5.0)


def test_lists_and_capabilities() -> None:
    before = _task(extra_hosts=("a:1.1.1.1", "b:2.2.2.2"), cap_drop=("CAP_NET_RAW",))

    task = _edit(
        before,
        host_rm=("a",),
        host_add=("c:3.3.3.3",),
        dns_add=("9.9.9.9", "9.9.9.9"),
        cap_add=("net_raw",),
    ).task

    assert task.extra_hosts == ("b:2.2.2.2", "c:3.3.3.3")
    assert task.dns == ("9.9.9.9",)
    assert (task.cap_add, task.cap_drop) == (("CAP_NET_RAW",), ())


def test_a_log_driver_replaces_its_options() -> None:
    before = _task(logging=Logging(driver="json-file", options={"max-size": "1m"}))

    after = _edit(before, log_opt=("max-file=3",))

    assert after.task.logging == Logging(driver="json-file", options={"max-file": "3"})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"update_order": "foo"}, "unrecognized update order foo"),
        ({"update_failure_action": "foo"}, "unrecognized update failure action foo"),
        ({"rollback_failure_action": "rollback"}, "unrecognized rollback failure action rollback"),
        ({"update_max_failure_ratio": 1.5}, "cannot be less than 0 or bigger than 1"),
        ({"update_max_failure_ratio": float("nan")}, "cannot be less than 0 or bigger than 1"),
        ({"update_delay": "-1s"}, "cannot be negative"),
        ({"restart_condition": "often"}, "unrecognized restart condition often"),
        ({"env_add": ("=x",)}, "use KEY=VALUE"),
        ({"image": " "}, "cannot be empty"),
        ({"image": "bb v2"}, "not an image reference"),
        ({"host_add": ("x",)}, "use HOST:IP"),
    ],
)
def test_what_cannot_be_is_refused_in_swarm_s_words(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _edit(**flags)


def test_replicas_of_a_global_service_are_refused() -> None:
    with pytest.raises(UsageError, match="replicas can only be used with replicated mode"):
        _edit(spec(mode=Mode.GLOBAL), replicas=2)


def test_every_flag_has_a_meaning() -> None:
    """Each row of the table changes something, given a value that makes sense."""
    values: dict[str, Any] = {
        "update-failure-action": "continue",
        "rollback-failure-action": "continue",
        "update-order": "start-first",
        "rollback-order": "start-first",
        "restart-condition": "none",
        "constraint-add": ("a==b",),
        "publish-add": ("80:80",),
        "network-add": ("b",),
        "mount-add": ("source=a,target=/a",),
        "ulimit-add": ("nofile=1",),
        "host-add": ("a:1.1.1.1",),
        "limit-cpu": "1",
        "reserve-cpu": "1",
    }
    kinds: dict[str, Any] = {"count": 3, "number": 3, "ratio": 0.5, "switch": True, "choice": True}
    full = edit(
        spec(),
        {
            flag.name: values.get(flag.name, ("a=b",))
            for flag in UPDATE_FLAGS
            if flag.kind == "list" and not flag.name.endswith("-rm")
        },
        environ={},
    )
    keys = {"publish-rm": "80", "mount-rm": "/a", "ulimit-rm": "nofile", "network-rm": "b"}
    keys |= {"constraint-rm": "a==b"} | {
        f"{name}-rm": "a=b" for name in ("dns", "dns-option", "dns-search", "group")
    }

    for flag in UPDATE_FLAGS:
        if flag.name.endswith("-rm"):
            base = full
            value: Any = (keys.get(flag.name, "a"),)
        elif flag.kind == "list":
            base, value = spec(), values.get(flag.name, ("a=b",) if "=" in flag.takes else ("a",))
        else:
            seconds = "7s" if flag.takes == "DURATION" else "64m"
            base, value = spec(), values.get(flag.name, kinds.get(flag.kind, seconds))
        assert edit(base, {flag.name: value}, environ={}) != base, flag.name


def test_only_flags_that_were_given_are_passed_on() -> None:
    values: dict[str, Any] = {flag.name.replace("-", "_"): None for flag in UPDATE_FLAGS}
    values |= {"env_add": (), "force": False, "replicas": 0, "init": False, "args": ""}

    assert given(values) == {"replicas": 0, "init": False, "args": ""}


def test_constraints_are_added_and_removed_as_they_are_written() -> None:
    before = _edit(constraint_add=("node.role==manager", "node.hostname!=old"))

    after = _edit(before, constraint_rm=("node.hostname!=old",), replicas_max_per_node=3)

    assert before.constraints == ("node.role==manager", "node.hostname!=old")
    assert (after.constraints, after.max_per_node) == (("node.role==manager",), 3)
    assert after.task == spec().task


def test_a_constraint_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match='invalid argument "manager" for --constraint-add'):
        _edit(constraint_add=("manager",))
