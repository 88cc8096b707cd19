"""Every flag of `docker service update` is one here, or is refused with the reason."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from rollout.cli.options import NOT_HERE
from rollout.cli.update import command
from rollout.errors import UsageError

DOCKER_S = """
args cap-add cap-drop config-add config-rm constraint-add constraint-rm container-label-add
container-label-rm credential-spec detach dns-add dns-option-add dns-option-rm dns-rm
dns-search-add dns-search-rm endpoint-mode entrypoint env-add env-rm force generic-resource-add
generic-resource-rm group-add group-rm health-cmd health-interval health-retries
health-start-period health-timeout host-add host-rm hostname image init isolation label-add
label-rm limit-cpu limit-memory limit-pids log-driver log-opt max-concurrent mount-add mount-rm
network-add network-rm no-healthcheck no-resolve-image placement-pref-add placement-pref-rm
publish-add publish-rm quiet read-only replicas replicas-max-per-node reserve-cpu
reserve-memory restart-condition restart-delay restart-max-attempts restart-window rollback
rollback-delay rollback-failure-action rollback-max-failure-ratio rollback-monitor
rollback-order rollback-parallelism secret-add secret-rm stop-grace-period stop-signal
sysctl-add sysctl-rm tty ulimit-add ulimit-rm update-delay update-failure-action
update-max-failure-ratio update-monitor update-order update-parallelism user with-registry-auth
workdir
"""
"""Of Docker's command line 28.2."""


@pytest.mark.parametrize("name", DOCKER_S.split())
def test_each_flag_is_known(name: str) -> None:
    flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}

    assert f"--{name}" in flags


@pytest.mark.parametrize("name", NOT_HERE)
def test_what_has_no_meaning_on_one_host_says_why(name: str) -> None:
    """Before anything is asked of an engine."""
    with pytest.raises(UsageError, match=f"--{name} is not taken here") as refused:
        CliRunner().invoke(command, [f"--{name}", "x", "st_web"], catch_exceptions=False)

    assert NOT_HERE[name] in str(refused.value.hint)


def test_help_shows_what_can_be_used() -> None:
    shown = command.get_help(click.Context(command))

    assert "--constraint-add" in shown
    assert "--secret-add" not in shown
