"""`deploy`'s cadence and restart policy, and `restart:`, as the model has them."""

from __future__ import annotations

from rollout.compose.node import Node
from rollout.model.spec import (
    FailureAction,
    Order,
    RestartCondition,
    RestartPolicy,
    UpdateConfig,
)
from rollout.model.units import parse_duration

_DEFAULT = UpdateConfig()
_CONDITIONS = {
    "no": RestartCondition.NONE,
    "none": RestartCondition.NONE,
    "on-failure": RestartCondition.ON_FAILURE,
    "any": RestartCondition.ANY,
    "always": RestartCondition.ANY,
    "unless-stopped": RestartCondition.ANY,
}


def read_update(node: Node | None) -> UpdateConfig:
    """`update_config` or `rollback_config`; a monitor of 0 means the default, as in Swarm."""
    if node is None:
        return _DEFAULT
    monitor = parse_duration(node.get("monitor", default="0s")) or _DEFAULT.monitor_s
    return UpdateConfig(
        parallelism=node.get("parallelism", default=_DEFAULT.parallelism),
        delay_s=parse_duration(node.get("delay", default="0s")),
        failure_action=FailureAction(node.get("failure_action") or _DEFAULT.failure_action),
        monitor_s=monitor,
        max_failure_ratio=float(node.get("max_failure_ratio", default=0.0)),
        order=Order(node.get("order") or _DEFAULT.order),
    )


def read_restart(service: Node, *, completes: bool = False) -> RestartPolicy:
    """`deploy.restart_policy`; where there is none, `restart` in Compose's meaning; where there is
    neither, what others wait for to complete is not started again."""
    policy = service.find("deploy", "restart_policy")
    if policy is None:
        if completes and service.find("restart") is None:
            return RestartPolicy(condition=RestartCondition.NONE)
        return _restart(service)
    default = RestartPolicy()
    delay, window = policy.get("delay"), policy.get("window")
    return RestartPolicy(
        condition=_CONDITIONS[policy.get("condition") or "any"],
        delay_s=default.delay_s if delay is None else parse_duration(delay),
        max_attempts=policy.get("max_attempts", default=0),
        window_s=0.0 if window is None else parse_duration(window),
    )


def says_restart(service: Node) -> bool:
    """Whether the file itself says that what ends is started again, whatever its exit code."""
    policy = service.find("deploy", "restart_policy")
    if policy is None:
        said = str(service.get("restart", default=""))
        return _CONDITIONS.get(said) is RestartCondition.ANY
    return _CONDITIONS[policy.get("condition") or "any"] is RestartCondition.ANY


def _restart(service: Node) -> RestartPolicy:
    """`on-failure:3` tries three times."""
    name, _, times = str(service.get("restart", default="")).partition(":")
    condition = _CONDITIONS.get(name, RestartCondition.ANY)
    return RestartPolicy(condition=condition, max_attempts=int(times or 0))
