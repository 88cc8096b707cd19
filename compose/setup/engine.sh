#!/bin/sh
# Bring a Docker engine, and a registry on 127.0.0.1:5000, where there are none.
# Idempotent.  An engine that answers already is used as it is: the one that DOCKER_HOST or the
# current Docker context names, else that on the default socket.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
cache=$here/.cache
registry=${REGISTRY-127.0.0.1:5000}
default=unix:///var/run/docker.sock
PATH=$here/.venv/bin:$PATH:/usr/sbin:/sbin
# shellcheck source=compose/setup/debian.sh
. "$here/compose/setup/debian.sh"

engine_answers() { # rollout's own way to an engine; says on stderr why there is none
    rollout ls >/dev/null
}

engine_meant() {
    python3 -c 'import os
from rollout.engine.docker.endpoint import find_endpoint
print(find_endpoint(None, None, os.environ))' 2>/dev/null
}

registry_answers() { # 0 a registry, 1 nobody, 2 somebody else
    python3 - "http://$registry/v2/" <<'PYTHON'
import http.client, sys, urllib.error, urllib.request
# A proxy has no part in what is on this host.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = direct.open(sys.argv[1], timeout=5)
except urllib.error.HTTPError as error:
    answer = error
except urllib.error.URLError as error:
    sys.exit(1 if isinstance(error.reason, ConnectionRefusedError) else 2)
except (OSError, http.client.HTTPException):
    sys.exit(2)
sys.exit(0 if "Docker-Distribution-Api-Version" in answer.headers else 2)
PYTHON
}

wait_for() { # WHAT COMMAND LOG PID: until it answers; not longer than it lives, nor than a minute
    for _ in $(seq 120); do
        if "$2" 2>/dev/null; then return 0; fi
        if ! kill -0 "$4" 2>/dev/null; then break; fi
        sleep 0.5
    done
    echo "$1 does not answer; the end of its log, $3:" >&2
    tail -n 5 "$3" >&2
    exit 1
}

start_engine() {
    if ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
        install docker.io iptables iproute2
    fi
    # Installing may have started it.
    if engine_answers 2>/dev/null; then return 0; fi
    echo "starting dockerd"
    if [ -d /run/systemd/system ]; then
        # Returns when the engine answers, or says itself what is wrong.
        systemctl start docker
        return 0
    fi
    # A pid file of an engine that is gone keeps a new one from starting.
    if [ -f /var/run/docker.pid ] && ! kill -0 "$(cat /var/run/docker.pid)" 2>/dev/null; then
        rm -f /var/run/docker.pid
    fi
    mkdir -p "$cache"
    setsid nohup dockerd >"$cache/dockerd.log" 2>&1 </dev/null &
    wait_for "the Docker engine" engine_answers "$cache/dockerd.log" $!
}

bring_engine() {
    if ! why=$(engine_answers 2>&1); then
        if [ "$(engine_meant)" != "$default" ] || ! can_install; then
            echo "$why" >&2
            echo "an engine is installed and started here only by root on Debian or Ubuntu," \
                "and only for $default" >&2
            exit 1
        fi
        start_engine
    fi
    # From Debian 13 on docker.io comes without it.
    if ! command -v docker >/dev/null; then
        if ! can_install; then
            echo "the docker command is missing: install it, on Debian as docker-cli or docker.io" >&2
            exit 1
        fi
        install docker-cli
    fi
}

start_registry() {
    echo "starting a registry on $registry"
    if command -v docker-registry >/dev/null || can_install; then
        if ! command -v docker-registry >/dev/null; then install docker-registry; fi
        mkdir -p "$cache/registry"
        # Debian's own configuration asks for a password.
        cat >"$cache/registry.yml" <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: "$cache/registry"}, delete: {enabled: true}}
http: {addr: "$registry"}
YAML
        setsid nohup docker-registry serve "$cache/registry.yml" \
            >"$cache/registry.log" 2>&1 </dev/null &
        wait_for "the registry" registry_answers "$cache/registry.log" $!
    elif ! docker start rollout-registry >/dev/null 2>&1 &&
        ! docker run -d --name rollout-registry -p "$registry:5000" registry:2 >/dev/null; then
        echo "no registry answers on $registry: run one there, such as Debian's docker-registry" >&2
        exit 1
    fi
}

bring_registry() {
    case $registry in
        127.0.0.1:* | localhost:*) ;;
        *) return 0 ;; # somebody else's, and theirs to run
    esac
    answer=0
    registry_answers || answer=$?
    case $answer in
        0) ;;
        1) start_registry ;;
        *)
            echo "what answers on $registry is not a registry: stop it," \
                "or choose another port: make REGISTRY=127.0.0.1:5001 …" >&2
            exit 1
            ;;
    esac
}

bring_engine
bring_registry
