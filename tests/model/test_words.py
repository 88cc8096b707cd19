"""Specs, digests, tasks, actions, labels: what the words mean."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from rollout.model import labels
from rollout.model.action import Action, Arm, Note, Prepare, Push, Remove, Start, Stop, target_of
from rollout.model.canonical import canonical, digest_of_label, from_canonical, task_digest
from rollout.model.revision import Mark
from rollout.model.spec import (
    Healthcheck,
    Mode,
    Port,
    RestartPolicy,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
)
from rollout.model.stack import Stack
from rollout.model.state import Cause, ContainerStatus, Health, MarkKind, TaskState
from rollout.model.task import Task, state_of
from tests.decide import given

V1 = given.revision(1)

images = st.text("abc:/.", min_size=1, max_size=8)
tasks = st.builds(
    TaskSpec,
    image=images,
    command=st.none() | st.tuples(st.text(max_size=3)),
    environment=st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3), max_size=3),
    stop_grace_s=st.sampled_from([0.5, 10.0, 90.0]),
    healthcheck=st.none() | st.builds(Healthcheck, test=st.tuples(st.text(max_size=3))),
    restart=st.builds(RestartPolicy, max_attempts=st.integers(0, 3)),
    ports=st.tuples(st.builds(Port, target=st.integers(1, 65535))),
)
services = st.builds(
    ServiceSpec,
    name=st.text("web", min_size=1),
    task=tasks,
    replicas=st.integers(0, 9),
    update=st.builds(UpdateConfig, parallelism=st.integers(0, 9)),
)


@example(services)
def test_a_definition_is_read_as_it_was_written(service: ServiceSpec) -> None:
    """All a rollback needs is in its canonical form."""
    assert from_canonical(canonical(service), ServiceSpec) == service


@example(services, services)
def test_the_same_definition_has_the_same_text(one: ServiceSpec, other: ServiceSpec) -> None:
    """And another one another."""
    assert (canonical(one) == canonical(other)) is (one == other)


def test_defaults_are_not_written() -> None:
    """So a field that a later version adds changes no digest of what does not use it."""
    assert canonical(ServiceSpec(name="web", task=TaskSpec(image="v1"))) == (
        '{"name":"web","task":{"image":"v1"}}'
    )


def test_keys_are_sorted() -> None:
    one = TaskSpec(image="v1", environment={"b": "1", "a": "2"})

    assert canonical(one) == '{"environment":{"a":"2","b":"1"},"image":"v1"}'


def test_the_digest_is_of_the_task_alone() -> None:
    """Replicas, cadence and labels replace nothing; everything of the task does."""
    service = ServiceSpec(name="web", task=TaskSpec(image="v1"))

    more = msgspec.structs.replace(
        service, replicas=9, labels={"a": "b"}, update=UpdateConfig(parallelism=3)
    )
    other = msgspec.structs.replace(service.task, labels={"a": "b"})

    assert task_digest(service.task) == task_digest(more.task)
    assert task_digest(service.task) != task_digest(other)
    assert len(task_digest(other)) == 64


def test_the_digest_of_a_containers_label() -> None:
    """Empty where it cannot be read: then the task is out of date, and not lost."""
    service = ServiceSpec(name="web", task=TaskSpec(image="v1"))

    assert digest_of_label(canonical(service)) == task_digest(service.task)
    for text in ("", "{", "[]", '{"name": 3}', json.dumps({"task": {}})):
        assert digest_of_label(text) == ""


def test_a_global_service_has_one_slot() -> None:
    """One per host, and there is one host."""
    task = TaskSpec(image="v1")

    assert ServiceSpec(name="web", task=task, mode=Mode.GLOBAL, replicas=7).slots == 1
    assert ServiceSpec(name="web", task=task, replicas=7).slots == 7


def test_a_stack_knows_its_services() -> None:
    service = ServiceSpec(name="web", task=TaskSpec(image="v1"))
    stack = Stack(name="st", services=(service,))

    assert stack.service("web") == service
    assert stack.service("db") is None


def test_a_revision_stands_where_its_last_mark_says() -> None:
    marks = (Mark(number=1, kind=MarkKind.PAUSED), Mark(number=2, kind=MarkKind.RESUMED))

    assert given.revision(1).last_mark is None
    assert given.revision(1, marks=marks).last_mark is MarkKind.RESUMED
    assert [given.revision(1, cause=cause).is_rollback for cause in Cause] == [
        cause in (Cause.ROLLBACK, Cause.AUTO_ROLLBACK) for cause in Cause
    ]


def test_actions_say_what_and_why() -> None:
    """One line each, stable: plans, logs and tests compare it."""
    task = given.running(3, V1, id="abcdefghijklmnopqrstuvwxy")
    actions: list[Action] = [
        Prepare(revision=V1, slot=3, cause="updated to revision 1"),
        Prepare(revision=V1, slot=3, cause="slot is empty", start=True),
        Start(task=task, cause="its predecessor is down"),
        Stop(task=task, cause="replaced by revision 2"),
        Remove(task=task, cause="history limit"),
        Arm(task=task, policy=RestartPolicy(), cause="watched long enough"),
        Note(revision=V1, kind=MarkKind.COMPLETED, message="update completed"),
        Push(source=V1, number=7, cause=Cause.AUTO_ROLLBACK, message="update rolled back"),
    ]

    assert [str(action) for action in actions] == [
        "prepare web.3, updated to revision 1",
        "prepare and start web.3, slot is empty",
        "start web.3.abcdefghijkl, its predecessor is down",
        "stop web.3.abcdefghijkl, replaced by revision 2",
        "remove web.3.abcdefghijkl, history limit",
        "arm web.3.abcdefghijkl, watched long enough",
        "mark revision 1 completed, update completed",
        "record revision 7 as a copy of 1, update rolled back",
    ]
    assert [target_of(action) for action in actions] == [
        *[("slot", 3)] * 2,
        *[("task", task.container_id)] * 4,
        *[("ledger", 0)] * 2,
    ]


@pytest.mark.parametrize(
    ("task", "replaced_ago", "state"),
    [
        (given.ready(1, V1), None, TaskState.READY),
        (given.unstartable(1, V1), None, TaskState.FAILED),
        (given.starting(1, V1), None, TaskState.STARTING),
        (given.running(1, V1), None, TaskState.RUNNING),
        (given.running(1, V1), 5.0, TaskState.RUNNING),
        (given.ended(1, V1, ago=3.0), None, TaskState.FAILED),
        (given.ended(1, V1, ago=3.0, exit_code=0), None, TaskState.COMPLETE),
        (given.ended(1, V1, exit_code=0, unhealthy_since=1.0), None, TaskState.FAILED),
        (given.ended(1, V1, ago=3.0), 3.0, TaskState.SHUTDOWN),
        (given.ended(1, V1, ago=3.0), 2.0, TaskState.FAILED),
        (given.ended(1, V1, finished_at=None, exit_code=0), 2.0, TaskState.COMPLETE),
    ],
)
def test_a_tasks_state(task: Task, replaced_ago: float | None, state: TaskState) -> None:
    """Who ended it is told by when its successor was made."""
    replaced_at = None if replaced_ago is None else given.NOW - replaced_ago

    assert state_of(task, replaced_at=replaced_at) is state


@example(
    st.sampled_from(ContainerStatus),
    st.sampled_from(Health),
    st.booleans(),
    st.sampled_from(["", "port is already allocated"]),
)
def test_a_task_is_one_thing_at_a_time(
    status: ContainerStatus, health: Health, checked: bool, error: str
) -> None:
    """Ready, up, or ended; and what runs well is up and not unhealthy."""
    task = given.running(1, V1, status=status, health=health, has_healthcheck=checked, error=error)

    expected = 0 if status is ContainerStatus.REMOVING else 1
    assert task.prepared + task.alive + task.ended == expected
    assert not task.running or task.alive
    assert not task.unhealthy or (task.alive and not (task.running and checked))


@pytest.mark.parametrize(
    ("name", "stack", "service"),
    [
        ("web", True, True),
        ("web-2_x", True, True),
        ("Web.api", False, True),
        ("-web", False, False),
        ("", False, False),
        ("a" * 63, True, True),
        ("a" * 64, False, False),
        ("web/api", False, False),
        ("web\n", False, False),
        ("..", False, False),
    ],
)
def test_names(name: str, stack: bool, service: bool) -> None:
    """Compose's rules; nothing that could leave a name of a container or a volume."""
    assert (labels.is_stack_name(name), labels.is_service_name(name)) == (stack, service)


def test_names_on_the_engine() -> None:
    """An outward contract."""
    assert labels.container_name("st", "web", 3, "ab12") == "st_web.3.ab12"
    assert labels.full_name("st", "web") == "st_web"
    assert labels.revision_record("st", "web", 4) == "rollout.st_web.r4"
    assert labels.mark_record("st", "web", 4, 2) == "rollout.st_web.r4.m2"
    assert labels.lease_record("st", 9) == "rollout.st.lease.9"
    assert labels.file_record("st", "d1") == "rollout.st.file.d1"
