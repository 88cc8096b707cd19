"""What a file says is what the model holds: deploy, restart, ports, mounts, networks, files."""

from __future__ import annotations

import hashlib
import time

import pytest

from rollout.model.canonical import canonical
from rollout.model.spec import (
    Device,
    FailureAction,
    FileMount,
    Healthcheck,
    Logging,
    Mode,
    Mount,
    Network,
    NetworkAttachment,
    Order,
    Port,
    Resources,
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    TaskSpec,
    Ulimit,
    UpdateConfig,
    Volume,
)
from tests.compose.project import Folder, web


def test_a_service_that_says_nothing_has_swarms_defaults(folder: Folder) -> None:
    spec = folder.load("services: {web: {image: nginx}}").services[0]

    default = Network(key="default", name="p_default")
    attached = NetworkAttachment(name="p_default", aliases=("web",))
    assert spec == ServiceSpec(
        name="web",
        task=TaskSpec(image="nginx", networks=(attached,)),
        networks=(default,),
        image="nginx",
    )


def test_deploy_is_read_whole(folder: Folder) -> None:
    spec = folder.service("""
labels: {on: container}
deploy:
  replicas: 4
  labels: [on=service]
  update_config:
    parallelism: 2
    delay: 10s
    failure_action: rollback
    monitor: 1m
    max_failure_ratio: 0.25
    order: start-first
  rollback_config: {parallelism: 0, monitor: 0s, failure_action: continue}
  restart_policy: {condition: on-failure, delay: 0s, max_attempts: 3, window: 2m}
  resources:
    limits: {cpus: '0.5', memory: 50M, pids: 10}
    reservations: {cpus: 0.25, memory: 20M}
""")

    assert spec.replicas == 4
    assert spec.labels == {"on": "service"}
    assert spec.task.labels == {"on": "container"}
    assert spec.update == UpdateConfig(
        parallelism=2,
        delay_s=10.0,
        failure_action=FailureAction.ROLLBACK,
        monitor_s=60.0,
        max_failure_ratio=0.25,
        order=Order.START_FIRST,
    )
    assert spec.rollback == UpdateConfig(parallelism=0, failure_action=FailureAction.CONTINUE)
    assert spec.task.restart == RestartPolicy(
        condition=RestartCondition.ON_FAILURE, delay_s=0.0, max_attempts=3, window_s=120.0
    )
    assert spec.task.resources == Resources(
        cpu_limit=500_000_000,
        memory_limit=50 * 2**20,
        pids_limit=10,
        cpu_reservation=250_000_000,
        memory_reservation=20 * 2**20,
    )


@pytest.mark.parametrize(
    ("said", "condition", "attempts"),
    [
        ("restart: 'no'", RestartCondition.NONE, 0),
        ("restart: no", RestartCondition.NONE, 0),
        ("restart: always", RestartCondition.ANY, 0),
        ("restart: unless-stopped", RestartCondition.ANY, 0),
        ("restart: on-failure", RestartCondition.ON_FAILURE, 0),
        ("restart: on-failure:3", RestartCondition.ON_FAILURE, 3),
        ("restart: 'no'\ndeploy: {restart_policy: {}}", RestartCondition.ANY, 0),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", RestartCondition.NONE, 0),
    ],
)
def test_restart_stands_in_for_a_restart_policy_and_yields_to_it(
    folder: Folder, said: str, condition: RestartCondition, attempts: int
) -> None:
    policy = folder.service(said).task.restart

    assert (policy.condition, policy.max_attempts) == (condition, attempts)


@pytest.mark.parametrize(
    ("said", "is_said"),
    [
        ("init: true", False),
        ("restart: 'no'", False),
        ("restart: on-failure", False),
        ("restart: always", True),
        ("restart: unless-stopped", True),
        ("deploy: {restart_policy: {condition: any}}", True),
        ("deploy: {restart_policy: {delay: 1s}}", True),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", False),
    ],
)
def test_whether_the_file_itself_says_that_what_ends_well_is_restarted(
    folder: Folder, said: str, is_said: bool
) -> None:
    """The condition alone does not tell: `any` is the default, too."""
    assert folder.service(said).restart_said is is_said


def test_a_global_service_and_scale(folder: Folder) -> None:
    assert folder.service("deploy: {mode: global}").mode is Mode.GLOBAL
    assert folder.service("scale: 3").replicas == 3
    assert folder.service("scale: 3\ndeploy: {replicas: 3}").replicas == 3
    assert folder.service("deploy: {replicas: 0}").replicas == 0


def test_our_own_key(folder: Folder) -> None:
    assert folder.service("x-rollout: {progress_deadline: 90s}").progress_deadline_s == 90.0
    assert folder.service("x-rollout: {progress_deadline: 0s}").progress_deadline_s == 0.0


def test_ports_are_sorted_by_what_they_lead_to(folder: Folder) -> None:
    ports = folder.service("""
ports:
  - "443:8443"
  - "127.0.0.1:8000-8002:80"
  - "53/udp"
  - {target: 80, published: 0, mode: host}
  - "[::1]:7000:70"
""").task.ports

    assert ports == (
        Port(target=53, protocol="udp"),
        Port(target=70, published=(7000, 7000), host_ip="::1"),
        Port(target=80, mode="host"),
        Port(target=80, published=(8000, 8002), host_ip="127.0.0.1"),
        Port(target=8443, published=(443, 443)),
    )


def test_a_range_of_ports_serves_as_many_replicas(folder: Folder) -> None:
    spec = folder.service("ports: ['8000-8002:80']\nscale: 3")

    assert spec.task.ports == (Port(target=80, published=(8000, 8002)),)


def test_mounts_are_sorted_by_target_and_volumes_have_the_engines_names(folder: Folder) -> None:
    spec = folder.load(
        web("""
volumes:
  - data:/var/data:nocopy
  - ./conf:/etc/conf:ro,Z
  - ~/keys:/keys
  - /anonymous
  - {type: bind, source: ../up, target: /up, bind: {propagation: rslave}}
  - {type: bind, source: /there, target: /there}
  - {type: volume, source: old, target: /old, volume: {subpath: a}}
  - {type: tmpfs, target: /t, tmpfs: {size: 1000, mode: 0700}}
tmpfs: ["/run:size=64m,mode=1777", /tmp/]
""")
        + "volumes: {data: , old: {name: shared, external: true}, unused: }\n",
        environ={"HOME": "/home/me"},
    ).services[0]

    here, above = str(folder.path), str(folder.path.parent)
    assert spec.task.mounts == (
        Mount(type="volume", target="/anonymous"),
        Mount(type="bind", source=f"{here}/conf", target="/etc/conf", read_only=True, selinux="Z"),
        Mount(type="bind", source="/home/me/keys", target="/keys"),
        Mount(type="volume", source="shared", target="/old", subpath="a"),
        Mount(type="tmpfs", target="/run", tmpfs_size=64 * 2**20, tmpfs_mode=0o1777),
        Mount(type="tmpfs", target="/t", tmpfs_size=1000, tmpfs_mode=0o700),
        Mount(type="bind", source="/there", target="/there", create_host_path=False),
        Mount(type="tmpfs", target="/tmp"),
        Mount(type="bind", source=f"{above}/up", target="/up", propagation="rslave"),
        Mount(type="volume", source="p_data", target="/var/data", no_copy=True),
    )
    assert spec.volumes == (
        Volume(key="data", name="p_data"),
        Volume(key="old", name="shared", external=True),
    )


def test_networks_with_their_definitions_and_aliases(folder: Folder) -> None:
    stack = folder.load(
        web("""
networks:
  back: {aliases: [api, web], ipv4_address: 10.1.0.9}
  front: {priority: 10}
""")
        + """
networks:
  back:
    driver: bridge
    internal: true
    driver_opts: {mtu: 1400}
    ipam: {config: [{subnet: 10.1.0.0/24, gateway: 10.1.0.1}]}
    labels: [a=b]
  front: {external: true, name: edge}
  unused:
"""
    )

    spec = stack.services[0]
    assert spec.task.networks == (
        NetworkAttachment(name="edge", aliases=("web",), priority=10),
        NetworkAttachment(name="p_back", aliases=("web", "api"), ipv4_address="10.1.0.9"),
    )
    back = Network(
        key="back",
        name="p_back",
        driver="bridge",
        driver_opts={"mtu": "1400"},
        internal=True,
        subnets=({"subnet": "10.1.0.0/24", "gateway": "10.1.0.1"},),
        labels={"a": "b"},
    )
    assert spec.networks == (back, Network(key="front", name="edge", external=True))
    assert stack.networks == spec.networks


def test_modes_of_networking_have_no_attachments(folder: Folder) -> None:
    host = folder.service("network_mode: host").task
    external = folder.load(
        web("networks: [h]") + "networks: {h: {external: true, name: host}}\n"
    ).services[0]

    assert (host.network_mode, host.networks) == ("host", ())
    assert (external.task.network_mode, external.task.networks) == ("host", ())


def test_configs_and_secrets_are_held_by_their_content(folder: Folder) -> None:
    folder.write(key=b"\x00secret\xff")
    stack = folder.load(
        web("""
configs:
  - site
  - {source: inline, target: etc/inline, uid: '103', mode: 0440}
secrets:
  - key
  - {source: token, target: tok, mode: "0400"}
""")
        + """
configs:
  site: {file: ./c.yml}
  inline: {content: "port ${PORT}\\n"}
secrets:
  key: {file: key}
  token: {environment: TOKEN}
  unused: {file: missing}
""",
        environ={"PORT": "80", "TOKEN": "t"},
    )

    def digest(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    site = (folder.path / "c.yml").read_bytes()
    assert stack.services[0].task.files == (
        FileMount(
            kind="config",
            source="inline",
            target="/etc/inline",
            digest=digest(b"port 80\n"),
            uid="103",
            mode=0o440,
        ),
        FileMount(
            kind="secret", source="key", target="/run/secrets/key", digest=digest(b"\x00secret\xff")
        ),
        FileMount(
            kind="secret",
            source="token",
            target="/run/secrets/tok",
            digest=digest(b"t"),
            mode=0o400,
        ),
        FileMount(kind="config", source="site", target="/site", digest=digest(site)),
    )
    assert stack.contents[digest(b"t")] == b"t"
    assert set(stack.contents.values()) == {b"port 80\n", b"\x00secret\xff", b"t", site}


def test_the_rest_of_a_task(folder: Folder) -> None:
    task = folder.service("""
command: run --name "a b"
entrypoint: ["/bin/x", ""]
environment: {A: 1, B: , C: true, D: 1e3}
hostname: h
user: "1000:1000"
working_dir: /w
tty: "yes"
init: false
read_only: true
stop_signal: SIGINT
stop_grace_period: 1m30s
healthcheck: {test: curl -f localhost, interval: 5s, retries: 2, start_period: 0s}
dns: 8.8.8.8
dns_search: [x]
extra_hosts: ["b=1.2.3.5", "a:1.2.3.4", "c:[::1]"]
cap_add: [SYS_TIME, NET_ADMIN]
devices: ["/dev/b", "/dev/a:/dev/c:r"]
sysctls: {net.core.somaxconn: 1024}
ulimits: {nproc: {soft: 1, hard: 2}, nofile: 100}
logging: {driver: json-file, options: {max-file: 3}}
shm_size: 64m
mem_limit: 1g
memswap_limit: -1
cpus: 0.5
pids_limit: 5
post_start: [{command: echo hi}]
pull_policy: if_not_present
depends_on: []
""").task

    assert task.command == ("run", "--name", "a b")
    assert task.entrypoint == ("/bin/x", "")
    assert task.environment == {"A": "1", "B": None, "C": "true", "D": "1000"}
    assert (task.hostname, task.user, task.working_dir) == ("h", "1000:1000", "/w")
    assert (task.tty, task.init, task.read_only) == (True, False, True)
    assert (task.stop_signal, task.stop_grace_s) == ("SIGINT", 90.0)
    assert task.healthcheck == Healthcheck(
        test=("CMD-SHELL", "curl -f localhost"), interval_s=5.0, retries=2, start_period_s=0.0
    )
    assert (task.dns, task.dns_search) == (("8.8.8.8",), ("x",))
    assert task.extra_hosts == ("a:1.2.3.4", "b:1.2.3.5", "c:::1")
    assert task.cap_add == ("NET_ADMIN", "SYS_TIME")
    assert task.devices == (
        Device(source="/dev/b", target="/dev/b"),
        Device(source="/dev/a", target="/dev/c", permissions="r"),
    )
    assert task.sysctls == {"net.core.somaxconn": "1024"}
    assert task.ulimits == {"nofile": Ulimit(soft=100, hard=100), "nproc": Ulimit(soft=1, hard=2)}
    assert task.logging == Logging(driver="json-file", options={"max-file": "3"})
    assert (task.shm_size, task.memswap_limit) == (64 * 2**20, -1)
    assert task.resources == Resources(cpu_limit=500_000_000, memory_limit=2**30, pids_limit=5)
    assert task.post_start == (("echo", "hi"),)
    assert task.pull_policy == "missing"


def test_a_healthcheck_that_is_turned_off(folder: Folder) -> None:
    off = Healthcheck(test=("NONE",))

    assert folder.service("healthcheck: {disable: true}").task.healthcheck == off
    assert folder.service("healthcheck: {test: [NONE]}").task.healthcheck == off
    assert folder.service("healthcheck: {test: []}").task.healthcheck == Healthcheck()


def test_what_is_built_has_composes_name_and_a_whole_context(folder: Folder) -> None:
    stack = folder.load(
        """
services:
  web: {build: ./app}
  api:
    image: api:1
    build: {context: .., args: [A=1, B, C], target: prod, labels: {x: 1}}
""",
        environ={"B": "b"},
    )

    assert [each.image for each in stack.services] == ["api:1", "p-web"]
    assert stack.builds["web"].context == f"{folder.path}/app"
    assert stack.builds["web"].dockerfile == "Dockerfile"
    assert stack.builds["api"].context == str(folder.path.parent)
    assert stack.builds["api"].args == {"A": "1", "B": "b"}
    assert stack.builds["api"].target == "prod"


def test_dependencies_with_their_conditions(folder: Folder) -> None:
    stack = folder.load(
        """
services:
  web:
    image: x
    depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}}
    links: [old]
  db: {image: x, profiles: [full]}
  cache: {image: x}
  old: {image: x}
""",
        profiles=["full"],
    )

    web_spec = stack.service("web")
    assert web_spec is not None
    assert web_spec.depends_on == {
        "cache": "service_started",
        "db": "service_healthy",
        "old": "service_started",
    }


def test_what_is_ignored_is_named_in_one_warning(folder: Folder) -> None:
    stack = folder.load(
        web("""
attach: true
deploy: {placement: {constraints: [node.role==manager, node.labels.a==b]}, endpoint_mode: vip}
ports: [{target: 80, name: http}]
develop: {watch: []}
labels: {v: "$UNSET"}
""")
        + "version: '3.8'\n"
    )

    assert stack.warnings == (
        'The "UNSET" variable is not set. Defaulting to a blank string.',
        "the attribute `version` is obsolete and ignored, remove it",
        (
            "ignoring unsupported options: attach, deploy.endpoint_mode, "
            "deploy.placement.constraints (node.labels.a), develop, ports.name"
        ),
    )


def test_reading_twice_gives_the_same_bytes_whatever_the_order_of_keys(folder: Folder) -> None:
    one = folder.service(
        "environment: {A: 1, B: 2}\nports: [80, 90]\ncap_add: [A, B]\nlabels: [a=1, b=2]"
    )
    other = folder.service(
        "labels: {b: 2, a: 1}\ncap_add: [B, A]\nports: [90, 80]\nenvironment: [B=2, A=1]"
    )

    assert canonical(one) == canonical(other)


def test_a_hundred_services_are_read_in_a_tenth_of_a_second(folder: Folder) -> None:
    service = "  s{}: {{image: 'x:${{T:-1}}', scale: 3, environment: {{A: 1}}, ports: [80]}}\n"
    text = "services:\n" + "".join(service.format(number) for number in range(100))
    folder.load(text)

    def seconds() -> float:
        started = time.process_time()
        folder.load()
        return time.process_time() - started

    assert min(seconds() for _ in range(5)) < 0.1
