"""A service that is wrong: one line with file, line, column and key path, all of them at once."""

from __future__ import annotations

import pytest

from rollout.errors import FileError, FileErrors
from tests.compose.project import Folder, web

DEPLOY = "deploy:\n  update_config: {{{}}}"


def cadence(text: str) -> str:
    return DEPLOY.format(text)


SERVICE = {
    "unknown failure action": (
        cadence("failure_action: bogus"),
        (
            'c.yml:5:39: services.web.deploy.update_config.failure_action: "bogus" must be pause, '
            "continue or rollback"
        ),
    ),
    "ratio of 2": (
        cadence("max_failure_ratio: 2"),
        (
            "c.yml:5:42: services.web.deploy.update_config.max_failure_ratio: "
            "must be a number from 0 to 1, not 2"
        ),
    ),
    "negative ratio": (
        cadence("max_failure_ratio: -0.1"),
        (
            "c.yml:5:42: services.web.deploy.update_config.max_failure_ratio: "
            "must be a number from 0 to 1, not -0.1"
        ),
    ),
    "negative delay": (
        cadence("delay: -5s"),
        'c.yml:5:30: services.web.deploy.update_config.delay: must not be negative, not "-5s"',
    ),
    "delay without a unit": (
        cadence("delay: 10"),
        (
            "c.yml:5:30: services.web.deploy.update_config.delay: "
            'must be a string with a unit (write "10s")'
        ),
    ),
    "negative monitor": (
        cadence("monitor: -1s"),
        'c.yml:5:32: services.web.deploy.update_config.monitor: must not be negative, not "-1s"',
    ),
    "parallelism two": (
        cadence("parallelism: two"),
        'c.yml:5:36: services.web.deploy.update_config.parallelism: "two" is not a whole number',
    ),
    "negative parallelism": (
        cadence("parallelism: -1"),
        "c.yml:5:36: services.web.deploy.update_config.parallelism: must not be negative, not -1",
    ),
    "unknown order": (
        cadence("order: bogus"),
        (
            'c.yml:5:30: services.web.deploy.update_config.order: "bogus" must be start-first or '
            "stop-first"
        ),
    ),
    "a typo": (
        cadence("paralellism: 2"),
        (
            "c.yml:5:23: services.web.deploy.update_config.paralellism: unknown key "
            "(did you mean parallelism?)"
        ),
    ),
    "a typo of a service key": (
        "enviroment: {A: 1}",
        "c.yml:4:5: services.web.enviroment: unknown key (did you mean environment?)",
    ),
    "a rollback that rolls back": (
        "deploy:\n  rollback_config:\n    failure_action: rollback",
        (
            "c.yml:6:25: services.web.deploy.rollback_config.failure_action: "
            "a failed rollback cannot be rolled back (use pause or continue)"
        ),
    ),
    "negative replicas": (
        "deploy: {replicas: -1}",
        "c.yml:4:24: services.web.deploy.replicas: must not be negative, not -1",
    ),
    "unknown mode": (
        "deploy: {mode: bogus}",
        (
            'c.yml:4:20: services.web.deploy.mode: "bogus" must be replicated, global, '
            "replicated-job or global-job"
        ),
    ),
    "a job": (
        "deploy: {mode: replicated-job}",
        (
            "c.yml:4:20: services.web.deploy.mode: is not supported: a task that ends is no "
            "service (use replicated or global)"
        ),
    ),
    "replicas of a global service": (
        "deploy: {mode: global, replicas: 2}",
        "c.yml:4:38: services.web.deploy.replicas: cannot stand together with mode: global",
    ),
    "unknown condition": (
        "deploy: {restart_policy: {condition: allways}}",
        (
            'c.yml:4:42: services.web.deploy.restart_policy.condition: "allways" must be none, '
            "on-failure, any, always or unless-stopped (did you mean always?)"
        ),
    ),
    "unknown restart": (
        "restart: allways",
        (
            'c.yml:4:14: services.web.restart: "allways" is not a restart policy '
            "(did you mean always?)"
        ),
    ),
    "restart: false": (
        "restart: false",
        'c.yml:4:14: services.web.restart: must be a string (write "no", in quotes)',
    ),
    "scale against replicas": (
        "scale: 2\ndeploy: {replicas: 3}",
        "c.yml:4:12: services.web.scale: differs from deploy.replicas (say it once)",
    ),
    "undefined network": (
        "networks: [front]",
        (
            'c.yml:4:16: services.web.networks.front: the network "front" is not defined '
            "(add it under networks:)"
        ),
    ),
    "undefined volume": (
        "volumes: ['data:/data']",
        (
            'c.yml:4:15: services.web.volumes[0]: the volume "data" is not defined '
            "(add it under volumes:)"
        ),
    ),
    "undefined config": (
        "configs: [conf]",
        (
            'c.yml:4:15: services.web.configs[0]: the config "conf" is not defined '
            "(add it under configs:)"
        ),
    ),
    "undefined secret": (
        "secrets: [key]",
        (
            'c.yml:4:15: services.web.secrets[0]: the secret "key" is not defined '
            "(add it under secrets:)"
        ),
    ),
    "undefined dependency": (
        "depends_on: [wed]",
        "c.yml:4:18: services.web.depends_on.wed: the service is not defined (did you mean web?)",
    ),
    "one name for many": (
        "container_name: n\ndeploy: {replicas: 2}",
        "c.yml:4:21: services.web.container_name: cannot be shared by 2 replicas (leave it out)",
    ),
    "one port for many": (
        "ports: ['8080:80']\ndeploy: {replicas: 2}",
        (
            "c.yml:4:13: services.web.ports[0]: one port, one task: the service has 2 replicas "
            "(publish a range of 2, or leave the published port out)"
        ),
    ),
    "too few ports": (
        "ports: ['8000-8001:80']\nscale: 3",
        (
            "c.yml:4:13: services.web.ports[0]: 2 ports, 2 tasks: the service has 3 replicas "
            "(publish a range of 3, or leave the published port out)"
        ),
    ),
    "one port and start-first": (
        "ports: ['8080:80']\ndeploy:\n  update_config: {order: start-first}",
        (
            "c.yml:6:30: services.web.deploy.update_config.order: "
            "one port, one task: start-first would need it twice (use stop-first)"
        ),
    ),
    "one port and a start-first rollback": (
        "ports: ['8080:80']\ndeploy:\n  rollback_config: {order: start-first}",
        (
            "c.yml:6:32: services.web.deploy.rollback_config.order: "
            "one port, one task: start-first would need it twice (use stop-first)"
        ),
    ),
    "one address for many": (
        "networks: {default: {ipv4_address: 10.0.0.2}}\nscale: 2",
        (
            "c.yml:4:40: services.web.networks.default.ipv4_address: "
            "one address, one task: the service has 2 replicas"
        ),
    ),
    "not an address": (
        "networks: {default: {ipv4_address: 10.0.0.300}}",
        'c.yml:4:40: services.web.networks.default.ipv4_address: "10.0.0.300" is not an IP address',
    ),
    "no shell": (
        "command: echo a; rm b",
        (
            "c.yml:4:14: services.web.command: an unquoted ; has no meaning without a shell "
            '(write ["sh", "-c", "…"] to have a shell)'
        ),
    ),
    "an open quote": (
        "command: sh -c 'echo",
        "c.yml:4:14: services.web.command: \"sh -c 'echo\" has an opening ' that is not closed",
    ),
    "a test without CMD": (
        "healthcheck: {test: [curl, localhost]}",
        (
            "c.yml:4:26: services.web.healthcheck.test: must begin with CMD, CMD-SHELL or "
            'NONE, not "curl" (or write it as one text)'
        ),
    ),
    "a required variable": (
        "labels: {v: '${VERSION:?say which}'}",
        (
            "c.yml:4:17: services.web.labels.v: "
            "required variable VERSION is missing a value: say which"
        ),
    ),
    "half a template": (
        "labels: {v: '${VERSION'}",
        (
            'c.yml:4:17: services.web.labels.v: "${VERSION" is not a valid template '
            "(write $$ for a dollar)"
        ),
    ),
    "an anonymous one-letter volume": (
        "volumes: ['v:/v']",
        (
            'c.yml:4:15: services.web.volumes[0]: "v:/v" is not an absolute path in the container '
            "(a name has more than one letter)"
        ),
    ),
    "two modes of networking": (
        "network_mode: host\nnetworks: [default]",
        "c.yml:4:5: services.web.network_mode: cannot stand together with networks",
    ),
    "the same target twice": (
        "tmpfs: /x\nvolumes: ['/a:/x']",
        'c.yml:5:15: services.web.volumes[0]: "/x" is already mounted by tmpfs[0]',
    ),
    "a reserved label": (
        "labels: {rollout.stack: x}",
        "c.yml:4:29: services.web.labels.rollout.stack: is a reserved label",
    ),
    "a missing env file": (
        "env_file: [missing.env]",
        "c.yml:4:16: services.web.env_file[0]: env file {folder}/missing.env: no such file",
    ),
    "an env file that is a device": (
        "env_file: /dev/zero",
        "c.yml:4:15: services.web.env_file[0]: env file /dev/zero: is not a regular file",
    ),
    "extends of what is not there": (
        "extends: {service: wob}",
        'c.yml:4:14: services.web.extends: the service "wob" is not defined (did you mean web?)',
    ),
    "extends of itself": (
        "extends: web",
        "c.yml:4:14: services.web.extends: goes in a circle: web → web",
    ),
    "extends from a file that is not there": (
        "extends: {service: a, file: gone.yml}",
        'c.yml:4:33: services.web.extends.file: "gone.yml" no such file',
    ),
    "an extension of ours that is not there yet": (
        "x-rollout: {canary: 1}",
        "c.yml:4:17: services.web.x-rollout.canary: is not supported by this version of rollout",
    ),
    "an extension of ours that is none": (
        "x-rollout: {progres_deadline: 1m}",
        (
            "c.yml:4:17: services.web.x-rollout.progres_deadline: unknown key "
            "(did you mean progress_deadline?)"
        ),
    ),
    "an extension of ours in the wrong place": (
        "deploy: {x-rollout: {progress_deadline: 1m}}",
        (
            "c.yml:4:25: services.web.deploy.x-rollout: stands in the wrong place "
            "(put it under a service)"
        ),
    ),
}


@pytest.mark.parametrize(("body", "wanted"), SERVICE.values(), ids=SERVICE)
def test_a_service_that_is_wrong_is_refused_with_its_place(
    folder: Folder, body: str, wanted: str
) -> None:
    assert folder.errors(web(body)) == [wanted.replace("{folder}", str(folder.path))]


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_lines(folder: Folder) -> None:
    folder.write(
        a_yml="services:\n  web: {image: x, networks: [gone]}\n  db: {imag: y, image: y}\n",
        b_yml="services:\n  web:\n    deploy:\n      replicas: many\n",
    )

    found = folder.errors(None, "a.yml", "b.yml")

    assert [each.partition(": ")[0] for each in found] == ["a.yml:2:30", "a.yml:3:8", "b.yml:4:17"]


def test_one_error_is_raised_as_itself_and_several_as_a_list(folder: Folder) -> None:
    with pytest.raises(FileError) as one:
        folder.load(web("restart: sometimes"))
    with pytest.raises(FileErrors) as several:
        folder.load(web("foo: 1\nbar: 2"))

    assert not isinstance(one.value, FileErrors)
    assert (one.value.line, one.value.column) == (4, 14)
    assert one.value.key == "services.web.restart"
    assert one.value.exit_code == 2
    assert len(several.value.errors) == 2
