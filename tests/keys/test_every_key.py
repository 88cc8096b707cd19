"""No key of a Compose file is dropped in silence: each one is honoured, refused or warned of."""

from __future__ import annotations

from rollout.compose.schema import ROOT
from rollout.compose.schema_service import SERVICE
from rollout.compose.support import IGNORED, REFUSED
from tests.keys.honoured import HONOURED, README, table
from tests.keys.table import CASES

COMPOSE = """
annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs
container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime
cpu_shares cpus cpuset credential_spec depends_on deploy develop device_cgroup_rules devices dns
dns_opt dns_search domainname entrypoint env_file environment expose extends external_links
extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links
logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode
networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop
privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale
secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs
tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir
"""
"""The keys of a service in Compose's own schema."""
LATER = {"pre_start"}
"""What its newest drafts have beside them."""
SHOWN_ELSEWHERE = {
    "annotations", "build", "configs", "container_name", "cpu_rt_period", "cpu_rt_runtime",
    "depends_on", "deploy", "env_file", "extends", "image", "isolation", "label_file",
    "mem_swappiness", "oom_kill_disable", "platform", "post_start", "pre_stop", "profiles",
    "pull_policy", "scale", "secrets", "storage_opt", "volumes_from",
}  # fmt: skip
"""Keys whose meaning one inspect of one container does not show, or not on every kernel."""


def _honoured() -> list[str]:
    return [key for keys, _ in HONOURED for key in keys.split()]


def _told() -> set[str]:
    return {key.partition(".")[0] for key in (*REFUSED, *IGNORED) if "." not in key}


def test_every_key_has_its_place() -> None:
    """Exactly one; a key that only Compose knows is refused as unknown."""
    honoured = _honoured()
    assert len(honoured) == len(set(honoured))
    assert not set(honoured) & _told()
    known = {key for key in SERVICE.table if not key.startswith("x-")}
    assert {*honoured, *_told()} == known
    assert set(COMPOSE.split()) | LATER == known | {"pull_refresh_after"}


def test_every_honoured_key_is_looked_at_on_the_engine() -> None:
    """By what inspect shows of a container, but for those with tests of their own."""
    looked_at = {
        word.partition(":")[0].strip()
        for case in CASES.values()
        for word in case.body.replace("deploy: {", "deploy: {\n").splitlines()
    }
    missing = set(_honoured()) - looked_at - SHOWN_ELSEWHERE
    assert not missing


def test_the_readme_says_the_same() -> None:
    assert table() in README.read_text(encoding="utf-8")


def test_every_section_is_known() -> None:
    assert set(ROOT.table) == {
        "version", "name", "include", "services", "networks", "volumes", "secrets", "configs",
        "models",
    }  # fmt: skip
