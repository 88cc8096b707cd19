"""What actions do to a real engine, once and repeated."""

from __future__ import annotations

import io
import tarfile
import threading
from functools import partial
from typing import Any

import docker
import pytest
from msgspec.structs import replace

from rollout.engine.docker.engine import DockerEngine
from rollout.errors import ConflictError, EngineError, ImpossibleError, NotFoundError
from rollout.model import labels
from rollout.model.action import Arm, Prepare, Remove, Start, Stop
from rollout.model.canonical import canonical, task_digest
from rollout.model.revision import Revision
from rollout.model.spec import (
    FileMount,
    Logging,
    Mount,
    Network,
    NetworkAttachment,
    Order,
    Port,
    RestartCondition,
    RestartPolicy,
    UpdateConfig,
    Volume,
)
from rollout.model.state import ContainerStatus
from rollout.model.task import Task
from tests.support.engine import (
    again,
    eventually,
    newest,
    no_contents,
    prepared,
    revision,
    service,
    started,
)

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def raw() -> docker.APIClient:
    """The engine as it is, past our own code."""
    return docker.APIClient()


def _stop(engine: DockerEngine, task: Task) -> Task:
    engine.act(Stop(task=task, cause="test"), no_contents)
    return again(engine, task)


def _ended(engine: DockerEngine, stack: str) -> Task:
    """The stack's only task, when it has ended."""
    eventually(lambda: [task.ended for task in engine.observe(stack)] == [True])
    return engine.observe(stack)[0]


def _policy(raw: docker.APIClient, task: Task) -> str:
    return str(raw.inspect_container(task.container_id)["HostConfig"]["RestartPolicy"]["Name"])


def test_prepare_makes_ready_and_does_not_start(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    """A prepared task is created with the name and labels of the contract, and has not run."""
    spec = service(image, replicas=3)

    task = prepared(engine, revision(stack, spec, 7), slot=2)

    assert task.prepared
    assert task.name == f"{stack}_web.2.{task.id}"
    assert (task.stack, task.service, task.slot, task.revision) == (stack, "web", 2, 7)
    assert task.digest == task_digest(spec.task)
    assert task.spec == canonical(spec)
    found = raw.inspect_container(task.container_id)["Config"]["Labels"]
    assert found[labels.COMPOSE_PROJECT] == stack
    assert found[labels.COMPOSE_NUMBER] == "2"
    assert found[labels.COMPOSE_ONEOFF] == "False"


def test_prepare_twice_makes_one(engine: DockerEngine, stack: str, image: str) -> None:
    """A prepare whose answer was lost finds what it made; so does another controller's."""
    wanted = revision(stack, service(image))
    action = Prepare(revision=wanted, slot=1, cause="test")

    threads = [threading.Thread(target=engine.act, args=(action, no_contents)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.act(action, no_contents)

    assert len(engine.observe(stack)) == 1


def test_prepare_after_a_failed_task_makes_a_new_one(
    engine: DockerEngine, stack: str, image: str
) -> None:
    """A dead task of the same revision is not taken for a prepared one."""
    wanted = revision(stack, service(image, command=("/nosuch",)))
    first = prepared(engine, wanted)
    with pytest.raises(EngineError):
        engine.act(Start(task=first, cause="test"), no_contents)

    # Not looked at in between: the name of its successor is not known yet.
    engine.act(Prepare(revision=wanted, slot=1, cause="test"), no_contents)

    tasks = engine.observe(stack)
    assert len({task.id for task in tasks}) == 2
    assert [task.prepared for task in tasks] == [False, True]


def test_prepare_with_start_starts(engine: DockerEngine, stack: str, image: str) -> None:
    """Repeated, it does not start a second one."""
    action = Prepare(revision=revision(stack, service(image)), slot=1, cause="test", start=True)

    engine.act(action, no_contents)
    engine.act(action, no_contents)

    assert [task.running for task in engine.observe(stack)] == [True]


def test_prepare_says_that_an_image_is_nowhere(engine: DockerEngine, stack: str) -> None:
    """Neither on the host nor to be pulled: nothing is left behind."""
    wanted = revision(stack, service("127.0.0.1:9/nosuch:v9"))

    with pytest.raises(EngineError, match=r"pull 127\.0\.0\.1:9/nosuch:v9: .+"):
        engine.act(Prepare(revision=wanted, slot=1, cause="test"), no_contents)

    assert engine.observe(stack) == ()


def test_prepare_says_that_a_local_image_is_gone(engine: DockerEngine, stack: str) -> None:
    spec = service("app:v1", image_id="sha256:" + "0" * 64)

    with pytest.raises(NotFoundError, match=r"app:v1: sha256:0+ is no longer on this host"):
        engine.act(Prepare(revision=revision(stack, spec), slot=1, cause="test"), no_contents)


def test_files_networks_and_volumes_are_in_place(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    """A task that is Ready has its configs, secrets and all of its networks."""
    networks = tuple(Network(key=key, name=f"{stack}_{key}") for key in ("back", "front"))
    spec = service(
        image,
        networks=tuple(NetworkAttachment(name=each.name, aliases=("www",)) for each in networks),
        mounts=(Mount(type="volume", source=f"{stack}_data", target="/data"),),
        files=(
            FileMount(
                kind="secret", source="key", target="/run/secrets/key", digest="k", mode=0o400
            ),
            FileMount(kind="config", source="conf", target="/etc/deep/conf", digest="c", uid="7"),
        ),
        command=("sh", "-c", "stat -c '%a %u' /run/secrets/key /etc/deep/conf; cat /etc/deep/conf"),
    )
    spec = type(spec)(
        name="web",
        task=spec.task,
        networks=networks,
        volumes=(Volume(key="data", name=f"{stack}_data"),),
    )
    wanted = revision(stack, spec)

    engine.ensure(spec, stack)
    engine.ensure(spec, stack)
    engine.act(
        Prepare(revision=wanted, slot=1, cause="test", start=True),
        {"k": b"secret", "c": b"content\n"}.__getitem__,
    )

    task = _ended(engine, stack)
    assert engine.last_words(task) == ("400 0", "444 7", "content")
    found = raw.inspect_container(task.container_id)
    assert set(found["NetworkSettings"]["Networks"]) == {f"{stack}_back", f"{stack}_front"}
    assert {"web", "www"} <= set(found["NetworkSettings"]["Networks"][f"{stack}_front"]["Aliases"])
    assert [each["Name"] for each in found["Mounts"]] == [f"{stack}_data"]
    assert task.name == f"{stack}_web.1.{task.id}"


def test_a_read_only_task_gets_its_files(engine: DockerEngine, stack: str, image: str) -> None:
    spec = service(
        image,
        read_only=True,
        files=(FileMount(kind="config", source="c", target="/etc/deep/conf", digest="c"),),
        command=("cat", "/etc/deep/conf"),
    )

    engine.act(
        Prepare(revision=revision(stack, spec), slot=1, cause="test", start=True),
        lambda _: b"content\n",
    )

    task = _ended(engine, stack)
    assert engine.last_words(task) == ("content",)


def test_a_shared_file_changes_when_its_reader_is_down(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    """It lies in a volume that the old task and the new one have."""

    def wanted(digest: str, number: int) -> Revision:
        file = FileMount(kind="config", source="c", target="/data/c", digest=digest)
        mount = Mount(type="volume", source=f"{stack}_data", target="/data")
        spec = service(image, mounts=(mount,), files=(file,))
        volume = Volume(key="data", name=f"{stack}_data")
        return revision(stack, replace(spec, volumes=(volume,)), number)

    def read(task: Task) -> bytes:
        packed, _ = raw.get_archive(task.container_id, "/data/c")
        with tarfile.open(fileobj=io.BytesIO(b"".join(packed))) as archive:
            content = archive.extractfile("c")
            assert content is not None
            return content.read()

    one, two = wanted("one", 1), wanted("two", 2)
    engine.ensure(one.spec, stack)
    engine.act(Prepare(revision=one, slot=1, cause="test"), str.encode)
    old = newest(engine, stack)
    engine.act(Start(task=old, cause="test"), str.encode)
    assert read(old) == b"one"

    engine.act(Prepare(revision=two, slot=1, cause="test"), str.encode)
    new = newest(engine, stack)
    assert read(old) == b"one"
    _stop(engine, again(engine, old))
    engine.act(Start(task=new, cause="test"), str.encode)
    assert read(new) == b"two"

    start_first = UpdateConfig(order=Order.START_FIRST)
    three = wanted("three", 3)
    three = replace(three, spec=replace(three.spec, update=start_first))
    engine.observe(stack)
    with pytest.raises(ImpossibleError, match="config c at /data/c"):
        engine.act(Prepare(revision=three, slot=1, cause="test"), str.encode)
    assert read(new) == b"two"


def test_half_made_tasks_are_not_shown_and_swept(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    """What a controller that was killed had begun is nobody's Ready task, and goes."""
    task = prepared(engine, revision(stack, service(image)))
    raw.rename(task.container_id, f"{task.name}.preparing")
    assert engine.observe(stack) == ()

    engine.sweep(stack)

    ours = {"label": f"{labels.STACK}={stack}"}
    assert raw.containers(all=True, filters=ours) == []


def test_nothing_is_left_when_preparing_fails_half_way(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    spec = service(
        image,
        files=(FileMount(kind="config", source="c", target="/task/conf", digest="c"),),
    )
    action = Prepare(revision=revision(stack, spec), slot=1, cause="test")

    with pytest.raises(EngineError, match="copy files into"):
        engine.act(action, lambda _: b"the folder is a file")

    ours = {"label": f"{labels.STACK}={stack}"}
    assert raw.containers(all=True, filters=ours) == []


def test_start_twice_is_fine_and_gone_is_said(engine: DockerEngine, stack: str, image: str) -> None:
    task = started(engine, revision(stack, service(image)))
    engine.act(Start(task=task, cause="test"), no_contents)

    assert again(engine, task).started_at == task.started_at
    assert task.running
    assert task.running_since == task.started_at

    _stop(engine, task)
    engine.act(Remove(task=task, cause="test"), no_contents)
    with pytest.raises(NotFoundError):
        engine.act(Start(task=task, cause="test"), no_contents)


def test_a_task_that_cannot_start_has_ended_with_the_reason(
    engine: DockerEngine, stack: str, image: str
) -> None:
    task = prepared(engine, revision(stack, service(image, command=("/nosuch",))))

    with pytest.raises(EngineError, match="/nosuch"):
        engine.act(Start(task=task, cause="test"), no_contents)

    failed = again(engine, task)
    assert failed.ended
    assert not failed.prepared
    assert failed.exit_code == 127
    assert "no such file" in failed.error


def test_stop_gives_the_grace_period_and_the_signal(
    engine: DockerEngine, stack: str, image: str
) -> None:
    """SIGTERM and time to end; a stubborn one is killed when its time is up."""
    gentle = started(engine, revision(stack, service(image), 1), slot=1)
    stubborn = started(
        engine,
        revision(stack, service(image, environment={"STUBBORN": "1"}, stop_grace_s=0.5), 2),
        slot=2,
    )
    for task in (gentle, stubborn):
        eventually(partial(engine.last_words, task))  # its trap is set

    assert _stop(engine, gentle).exit_code == 0
    assert "stopping" in engine.last_words(gentle)
    assert _stop(engine, stubborn).exit_code == 137
    assert _stop(engine, stubborn).status is ContainerStatus.EXITED


def test_stop_signal_of_the_spec(engine: DockerEngine, stack: str, image: str) -> None:
    command = ("sh", "-c", "trap 'exit 12' USR1; echo up; while :; do sleep 0.05; done")
    task = started(engine, revision(stack, service(image, command=command, stop_signal="SIGUSR1")))
    eventually(lambda: engine.last_words(task))

    assert _stop(engine, task).exit_code == 12


def test_a_paused_task_is_stopped(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    task = started(engine, revision(stack, service(image, stop_grace_s=1)))
    raw.pause(task.container_id)
    paused = again(engine, task)
    assert paused.status is ContainerStatus.PAUSED

    assert _stop(engine, paused).status is ContainerStatus.EXITED


@pytest.mark.parametrize(
    ("condition", "policy"),
    [
        (RestartCondition.ANY, "unless-stopped"),
        (RestartCondition.ON_FAILURE, "on-failure"),
        (RestartCondition.NONE, "no"),
    ],
)
def test_arming_and_stopping(
    engine: DockerEngine,
    stack: str,
    image: str,
    raw: docker.APIClient,
    condition: RestartCondition,
    policy: str,
) -> None:
    """Docker's policy is set by Arm alone, and none that would revive it survives a stop."""
    task = started(engine, revision(stack, service(image)))
    assert _policy(raw, task) == "no"
    assert not task.armed

    engine.act(Arm(task=task, policy=RestartPolicy(condition=condition), cause="test"), no_contents)

    armed = again(engine, task)
    assert _policy(raw, task) == policy
    assert armed.armed is (policy != "no")
    assert not _stop(engine, armed).armed
    assert _policy(raw, task) == "no"


def test_stopping_a_dead_task_disarms_it(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    """An armed task that had failed would be started by the next daemon restart."""
    task = started(engine, revision(stack, service(image, environment={"EXIT_AFTER": "0.3"})))
    policy = RestartPolicy(condition=RestartCondition.ON_FAILURE, max_attempts=1)
    engine.act(Arm(task=task, policy=policy, cause="test"), no_contents)
    dead = _ended(engine, stack)
    assert dead.restarts == 1

    _stop(engine, dead)

    assert _policy(raw, task) == "no"


def test_remove_keeps_volumes_that_a_task_has_used(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    mounts = (
        Mount(type="volume", target="/scratch"),
        Mount(type="volume", source=f"{stack}_data", target="/data"),
    )
    spec = service(image, mounts=mounts)
    spec = type(spec)(
        name="web", task=spec.task, volumes=(Volume(key="data", name=f"{stack}_data"),)
    )
    engine.ensure(spec, stack)
    task = started(engine, revision(stack, spec))
    with pytest.raises(ConflictError):
        engine.act(Remove(task=task, cause="test"), no_contents)
    names = {
        each["Destination"]: each["Name"]
        for each in raw.inspect_container(task.container_id)["Mounts"]
    }
    _stop(engine, task)

    engine.act(Remove(task=task, cause="test"), no_contents)
    engine.act(Remove(task=task, cause="test"), no_contents)

    left = {each["Name"] for each in raw.volumes()["Volumes"]}
    assert names["/data"] in left
    assert names["/scratch"] in left
    raw.remove_volume(names["/scratch"])


def test_hooks_run_inside_the_task(engine: DockerEngine, stack: str, image: str) -> None:
    """post_start after the start, pre_stop before the signal."""
    say = "echo {} > /proc/1/fd/1"
    spec = service(
        image,
        post_start=(("sh", "-c", say.format("begun")),),
        pre_stop=(("sh", "-c", say.format("ending")),),
    )
    task = started(engine, revision(stack, spec))

    _stop(engine, task)

    words = engine.last_words(task)
    assert set(words) == {"task is up", "begun", "ending", "stopping"}
    assert words.index("ending") < words.index("stopping")


def test_a_failing_post_start_ends_the_task(engine: DockerEngine, stack: str, image: str) -> None:
    spec = service(image, post_start=(("sh", "-c", "echo no luck; exit 4"),))

    with pytest.raises(EngineError, match="post_start sh exited 4: no luck"):
        started(engine, revision(stack, spec))

    assert newest(engine, stack).ended


def test_a_service_namespace_is_shared(
    engine: DockerEngine, stack: str, image: str, raw: docker.APIClient
) -> None:
    """`network_mode: service:web` is the container of web; without one it is said."""
    side = revision(stack, service(image, name="side", network_mode="service:web"))
    with pytest.raises(NotFoundError, match="side shares a namespace with web"):
        prepared(engine, side)
    web = started(engine, revision(stack, service(image)))

    engine.act(
        Prepare(revision=side, slot=1, cause="test", siblings={"web": web.container_id}),
        no_contents,
    )

    task = newest(engine, stack, "side")
    assert task.namespaces_of == (web.container_id,)
    mode = raw.inspect_container(task.container_id)["HostConfig"]["NetworkMode"]
    assert mode == f"container:{web.container_id}"


@pytest.mark.parametrize(
    "task",
    [
        {"logging": Logging(driver="json-file", options={"nosuch": "x"})},
        {"cap_add": ("NOSUCH",)},
        {"security_opt": ("nosuch",)},
        {"network_mode": "host", "uts": "host", "hostname": "a"},
        {"ports": (Port(target=80, published=(8000, 8001)),)},
    ],
    ids=lambda task: next(iter(task)),
)
def test_what_the_engine_will_never_make(
    engine: DockerEngine, stack: str, image: str, task: dict[str, Any]
) -> None:
    """Whoever asks is told that asking again is of no use; a path may still be made."""
    wanted = revision(stack, service(image, replicas=3, **task))
    with pytest.raises(ImpossibleError):
        engine.act(Prepare(revision=wanted, slot=3, cause="test"), no_contents)
    assert engine.observe(stack) == ()


def test_a_path_that_is_not_there_may_come(engine: DockerEngine, stack: str, image: str) -> None:
    mounts = (Mount(type="bind", source="/nosuch/path", target="/x", create_host_path=False),)

    with pytest.raises(EngineError, match="/nosuch/path") as raised:
        prepared(engine, revision(stack, service(image, mounts=mounts)))

    assert not isinstance(raised.value, ImpossibleError)


def test_who_has_the_address_is_named(engine: DockerEngine, stack: str, image: str) -> None:
    """It was taken between the look and the start."""
    network = Network(key="n", name=f"{stack}_n", subnets=({"subnet": "10.211.85.0/29"},))
    networks = (NetworkAttachment(name=network.name, ipv4_address="10.211.85.3"),)
    spec = replace(service(image, networks=networks), networks=(network,))
    engine.ensure(spec, stack)
    task = started(engine, revision(stack, spec))

    with pytest.raises(EngineError) as raised:
        started(engine, revision(stack, replace(spec, name="other")))

    assert f"10.211.85.3 on network {network.name} is {task.name}'s" in str(raised.value)


def test_who_has_the_port_is_named(engine: DockerEngine, stack: str, image: str) -> None:
    spec = service(image, ports=(Port(target=80, published=(18473, 18473)),))
    task = started(engine, revision(stack, spec))

    with pytest.raises(EngineError, match=f"18473/tcp is {task.name}'s"):
        started(engine, revision(stack, replace(spec, name="other")))
