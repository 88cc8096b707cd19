"""The grammar of `deploy`, and of requests for devices, in the order Compose prints them."""

from __future__ import annotations

from rollout.compose import short
from rollout.compose import values as v
from rollout.compose.grammar import (
    COUNT,
    DURATION,
    KEPT_COUNT,
    KEPT_DURATION,
    LABELS,
    LIST,
    STRING,
    TEXT_SIZE,
    UNIQUE,
)
from rollout.compose.kinds import FREE, Fields, Kind, Many, One, Section


def _cadence(failure_action: v.Parse) -> Fields:
    return Fields(
        {
            "parallelism": KEPT_COUNT,
            "delay": DURATION,
            "failure_action": One(failure_action),
            "monitor": DURATION,
            "max_failure_ratio": One(v.single(0, 1)),
            "order": One(v.one_of("start-first", "stop-first")),
        }
    )


_REQUEST: dict[str, Kind] = {
    "capabilities": UNIQUE,
    "driver": STRING,
    "count": One(v.device_count),
    "device_ids": UNIQUE,
    "options": LABELS,
}
DEVICE_REQUEST = Fields(_REQUEST, required=("capabilities",), short=short.device_request)
GPU = Fields(_REQUEST, short=short.device_request)

DEPLOY = Section(
    {
        "mode": One(v.one_of("replicated", "global", "replicated-job", "global-job")),
        "replicas": KEPT_COUNT,
        "labels": LABELS,
        "update_config": _cadence(v.one_of("pause", "continue", "rollback")),
        "rollback_config": _cadence(v.rollback_action),
        "resources": Fields(
            {
                "limits": Fields(
                    {"cpus": One(v.single(0)), "memory": TEXT_SIZE, "pids": One(v.integer(-1))}
                ),
                "reservations": Fields(
                    {
                        "cpus": One(v.single(0)),
                        "memory": TEXT_SIZE,
                        "devices": Many(DEVICE_REQUEST),
                        "generic_resources": Many(FREE),
                    }
                ),
            },
            keep=False,
        ),
        "restart_policy": Fields(
            {
                "condition": One(v.one_of("none", "on-failure", "any", "always", "unless-stopped")),
                "delay": KEPT_DURATION,
                "max_attempts": KEPT_COUNT,
                "window": KEPT_DURATION,
            }
        ),
        "placement": Fields(
            {
                "constraints": LIST,
                "preferences": Many(Fields({"spread": STRING})),
                "max_replicas_per_node": COUNT,
            },
            keep=False,
        ),
        "endpoint_mode": STRING,
    }
)
