"""Every key of a service that ends in its container: a few lines of a file, and what the engine's
inspect of the container then shows.

`{stack}` is the stack's name, `{service}` the service's, `{folder}` an existing folder, `{net}` and
`{net6}` the beginnings of addresses.  What is wanted is a part: a mapping's other keys are not
looked at, lists are whole.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Case(Struct, frozen=True):
    body: str
    """Lines of the service."""
    wanted: dict[str, Any]
    top: str = ""
    """Lines beside `services`."""


def config(**wanted: Any) -> dict[str, Any]:
    return {"Config": wanted}


def host(**wanted: Any) -> dict[str, Any]:
    return {"HostConfig": wanted}


def endpoint(**wanted: Any) -> dict[str, Any]:
    return {"NetworkSettings": {"Networks": {"{stack}_net": wanted}}}


NET = """
networks:
  net:
    driver: bridge
    enable_ipv6: true
    ipam: {config: [{subnet: {net}.0/28, gateway: {net}.1}, {subnet: "{net6}::/64"}]}
"""
MIB = 2**20
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What the engine adds where the image has none."""

CASES = {
    "command": Case("command: sh -c 'exit 0'", config(Cmd=["sh", "-c", "exit 0"])),
    "command, none": Case("command: []", config(Cmd=["/task"])),
    "entrypoint": Case("entrypoint: [/bin/sh, -c]", config(Entrypoint=["/bin/sh", "-c"])),
    "environment": Case("environment: {A: '1', B: ''}", config(Env=["A=1", "B=", PATH])),
    "user": Case("user: '7:8'", config(User="7:8")),
    "group_add": Case("group_add: [7, staff]", host(GroupAdd=["7", "staff"])),
    "working_dir": Case("working_dir: /w", config(WorkingDir="/w")),
    "hostname": Case("hostname: h", config(Hostname="h")),
    "domainname": Case("domainname: d.example", config(Domainname="d.example")),
    "tty": Case("tty: true", config(Tty=True)),
    "stdin_open": Case("stdin_open: true", config(OpenStdin=True)),
    "init": Case("init: true", host(Init=True)),
    "init, off": Case("init: false", host(Init=False)),
    "read_only": Case("read_only: true", host(ReadonlyRootfs=True)),
    "privileged": Case("privileged: true", host(Privileged=True)),
    "labels": Case("labels: {team: blue}", config(Labels={"team": "blue"})),
    "stop_signal": Case("stop_signal: SIGINT", config(StopSignal="SIGINT")),
    "stop_grace_period": Case("stop_grace_period: 1m30s", config(StopTimeout=90)),
    "expose": Case(
        "expose: ['80', '9000-9001/udp']",
        config(ExposedPorts={"80/tcp": {}, "9000/udp": {}, "9001/udp": {}}),
    ),
    "ports": Case(
        "ports: ['127.0.0.1:28080:80/udp', '81']",
        host(
            PortBindings={
                "80/udp": [{"HostIp": "127.0.0.1", "HostPort": "28080"}],
                "81/tcp": [{"HostIp": "", "HostPort": ""}],
            }
        )
        | config(ExposedPorts={"80/udp": {}, "81/tcp": {}}),
    ),
    "healthcheck": Case(
        "healthcheck: {test: exit 0, interval: 3s, timeout: 2s, start_period: 1m, retries: 4}",
        config(
            Healthcheck={
                "Test": ["CMD-SHELL", "exit 0"],
                "Interval": 3 * 10**9,
                "Timeout": 2 * 10**9,
                "StartPeriod": 60 * 10**9,
                "Retries": 4,
            }
        ),
    ),
    "healthcheck, a list": Case(
        "healthcheck: {test: [CMD, 'true']}", config(Healthcheck={"Test": ["CMD", "true"]})
    ),
    "healthcheck, none": Case(
        "healthcheck: {test: [NONE]}", config(Healthcheck={"Test": ["NONE"]})
    ),
    "healthcheck, disabled": Case(
        "healthcheck: {disable: true}", config(Healthcheck={"Test": ["NONE"]})
    ),
    "dns": Case("dns: [192.0.2.1]", host(Dns=["192.0.2.1"])),
    "dns_search": Case("dns_search: a.example", host(DnsSearch=["a.example"])),
    "dns_opt": Case("dns_opt: [use-vc]", host(DnsOptions=["use-vc"])),
    "extra_hosts": Case(
        "extra_hosts: {a: 192.0.2.1, b: '::1'}", host(ExtraHosts=["a:192.0.2.1", "b:::1"])
    ),
    "cap_add": Case("cap_add: [NET_ADMIN]", host(CapAdd=["NET_ADMIN"])),
    "cap_drop": Case("cap_drop: [ALL]", host(CapDrop=["ALL"])),
    "security_opt": Case(
        "security_opt: ['no-new-privileges:true']", host(SecurityOpt=["no-new-privileges:true"])
    ),
    "sysctls": Case(
        "sysctls: {net.core.somaxconn: 1024}", host(Sysctls={"net.core.somaxconn": "1024"})
    ),
    "ulimits": Case(
        "ulimits: {nofile: 100, nproc: {soft: 1, hard: 2}}",
        host(
            Ulimits=[
                {"Name": "nofile", "Soft": 100, "Hard": 100},
                {"Name": "nproc", "Soft": 1, "Hard": 2},
            ]
        ),
    ),
    "devices": Case(
        "devices: ['/dev/null:/dev/nil:rw']",
        host(
            Devices=[
                {
                    "PathOnHost": "/dev/null",
                    "PathInContainer": "/dev/nil",
                    "CgroupPermissions": "rw",
                }
            ]
        ),
    ),
    "device_cgroup_rules": Case(
        "device_cgroup_rules: ['c 1:3 mr']", host(DeviceCgroupRules=["c 1:3 mr"])
    ),
    "gpus": Case(
        "gpus: all",
        host(
            DeviceRequests=[
                {
                    "Driver": "",
                    "Count": -1,
                    "DeviceIDs": [],
                    "Capabilities": [["gpu"]],
                    "Options": {},
                }
            ]
        ),
    ),
    "deploy.resources.reservations.devices": Case(
        "deploy: {resources: {reservations: {devices: [{capabilities: [gpu, utility], count: 2,"
        " driver: nvidia, options: {a: b}}]}}}",
        host(
            DeviceRequests=[
                {
                    "Driver": "nvidia",
                    "Count": 2,
                    "DeviceIDs": [],
                    "Capabilities": [["gpu", "utility"]],
                    "Options": {"a": "b"},
                }
            ]
        ),
    ),
    "deploy.resources.limits": Case(
        "deploy: {resources: {limits: {cpus: '0.5', memory: 50m, pids: 10}}}",
        host(NanoCpus=5 * 10**8, Memory=50 * MIB, PidsLimit=10),
    ),
    "deploy.resources.reservations": Case(
        "deploy: {resources: {reservations: {cpus: '0.1', memory: 20m}}}",
        host(MemoryReservation=20 * MIB),
    ),
    "cpus": Case("cpus: 0.25", host(NanoCpus=25 * 10**7)),
    "cpu_period, cpu_quota": Case(
        "cpu_period: 50000\ncpu_quota: 20000", host(CpuPeriod=50000, CpuQuota=20000)
    ),
    "cpu_shares": Case("cpu_shares: 512", host(CpuShares=512)),
    "cpuset": Case("cpuset: '0'", host(CpusetCpus="0")),
    "mem_limit, memswap_limit": Case(
        "mem_limit: 64m\nmemswap_limit: 128m", host(Memory=64 * MIB, MemorySwap=128 * MIB)
    ),
    "memswap_limit, none": Case(
        "mem_limit: 64m\nmemswap_limit: -1", host(Memory=64 * MIB, MemorySwap=-1)
    ),
    "mem_reservation": Case("mem_reservation: 32m", host(MemoryReservation=32 * MIB)),
    "pids_limit": Case("pids_limit: 9", host(PidsLimit=9)),
    "shm_size": Case("shm_size: 64m", host(ShmSize=64 * MIB)),
    "oom_score_adj": Case("oom_score_adj: 500", host(OomScoreAdj=500)),
    "blkio_config": Case(
        "blkio_config: {device_read_bps: [{path: /dev/null, rate: 1m}],"
        " device_write_iops: [{path: /dev/null, rate: 30}]}",
        host(
            BlkioDeviceReadBps=[{"Path": "/dev/null", "Rate": MIB}],
            BlkioDeviceWriteIOps=[{"Path": "/dev/null", "Rate": 30}],
        ),
    ),
    "ipc": Case("ipc: shareable", host(IpcMode="shareable")),
    "pid": Case("pid: host", host(PidMode="host")),
    "uts": Case("uts: host", host(UTSMode="host")),
    "userns_mode": Case("userns_mode: host", host(UsernsMode="host")),
    "cgroup": Case("cgroup: private", host(CgroupnsMode="private")),
    "cgroup_parent": Case("cgroup_parent: /rollout-test", host(CgroupParent="/rollout-test")),
    "runtime": Case("runtime: runc", host(Runtime="runc")),
    "logging": Case(
        "logging: {driver: json-file, options: {max-size: 1m}}",
        host(LogConfig={"Type": "json-file", "Config": {"max-size": "1m"}}),
    ),
    "restart": Case("restart: always", host(RestartPolicy={"Name": "no"})),
    "network_mode": Case("network_mode: none", host(NetworkMode="none")),
    "networks": Case(
        "networks: {net: {aliases: [other], ipv4_address: {net}.5, ipv6_address: '{net6}::5',"
        " link_local_ips: [169.254.7.7]}}",
        endpoint(
            Aliases=[
                *("{service}", "{stack}-{service}-1", "{stack}_{service}", "tasks.{service}"),
                "other",
            ],
            IPAMConfig={
                "IPv4Address": "{net}.5",
                "IPv6Address": "{net6}::5",
                "LinkLocalIPs": ["169.254.7.7"],
            },
        )
        | host(NetworkMode="{stack}_net"),
        NET,
    ),
    "networks, mac_address": Case(
        "mac_address: '02:42:ac:11:00:99'\nnetworks: [net]",
        config(MacAddress="02:42:ac:11:00:99"),
        NET,
    ),
    "networks, driver_opts": Case(
        "networks: {net: {driver_opts: {a: b}}}", endpoint(DriverOpts={"a": "b"}), NET
    ),
    "links": Case("links: ['peer:other']\nnetworks: [net]", endpoint(Links=["peer:other"]), NET),
    "external_links": Case(
        "external_links: [far]\nnetworks: [net]", endpoint(Links=["far:far"]), NET
    ),
    "tmpfs": Case(
        "tmpfs: ['/t:size=64m,mode=1770']",
        host(
            Mounts=[
                {
                    "Type": "tmpfs",
                    "Target": "/t",
                    "TmpfsOptions": {"SizeBytes": 64 * MIB, "Mode": 0o1770},
                }
            ]
        ),
    ),
    "tmpfs, options": Case(
        "tmpfs: ['/t:exec,uid=7,size=1m']", host(Tmpfs={"/t": "size=1048576,exec,uid=7"})
    ),
    "volumes, tmpfs": Case(
        "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 448}}]",
        host(
            Mounts=[
                {
                    "Type": "tmpfs",
                    "Target": "/t",
                    "TmpfsOptions": {"SizeBytes": MIB, "Mode": 448},
                }
            ]
        ),
    ),
    "volumes, named": Case(
        "volumes: ['data:/d:ro']",
        host(Mounts=[{"Type": "volume", "Source": "{stack}_data", "Target": "/d", "ReadOnly": True,
                      "VolumeOptions": {}}]),
        "volumes: {data: {}}",
    ),
    "volumes, nocopy": Case(
        "volumes: ['data:/d:nocopy']",
        host(Mounts=[{"Type": "volume", "Source": "{stack}_data", "Target": "/d",
                      "VolumeOptions": {"NoCopy": True}}]),
        "volumes: {data: {}}",
    ),
    "volumes, anonymous": Case(
        "volumes: [{type: volume, target: /d, volume: {nocopy: true, labels: {a: b}}}]",
        host(Mounts=[{"Type": "volume", "Target": "/d", "VolumeOptions": {"NoCopy": True}}]),
    ),
    "volumes, bind": Case(
        "volumes: [{type: bind, source: '{folder}', target: /b, read_only: true,"
        " bind: {propagation: rslave, create_host_path: false}}]",
        host(Mounts=[{"Type": "bind", "Source": "{folder}", "Target": "/b", "ReadOnly": True,
                      "BindOptions": {"Propagation": "rslave"}}]),
    ),
    "volumes, bind with selinux": Case(
        "volumes: ['{folder}:/b:z']", host(Binds=["{folder}:/b:rw,z"])
    ),
    "volumes, bind not recursive": Case(
        "volumes: [{type: bind, source: '{folder}', target: /b,"
        " bind: {create_host_path: false, recursive: disabled}}]",
        host(Mounts=[{"Type": "bind", "Source": "{folder}", "Target": "/b",
                      "BindOptions": {"NonRecursive": True}}]),
    ),
}  # fmt: skip
"""By the key in the file; after a comma, which of its uses."""
