#!/bin/sh
# Bring a Docker engine, and a registry on 127.0.0.1:5000, where there are none.
# Idempotent.  An engine that answers already is used as it is.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
cache=$here/.cache
python=$here/.venv/bin/python

engine_answers() {
    "$python" -c 'import docker; docker.from_env(timeout=10).ping()' >/dev/null 2>&1
}

registry_answers() {
    "$python" -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:5000/v2/", timeout=5)' \
        >/dev/null 2>&1
}

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install() {
    echo "installing Debian's $*"
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
    rm -f "$log"
}

wait_for() { # WHAT COMMAND LOG
    for _ in $(seq 120); do
        if "$2"; then return 0; fi
        sleep 0.5
    done
    echo "$1 does not answer after a minute; its log: $3" >&2
    tail -n 5 "$3" >&2 || true
    exit 1
}

start_engine() {
    if ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
        install docker.io iptables iproute2
    fi
    if engine_answers; then return 0; fi
    echo "starting dockerd"
    if [ -d /run/systemd/system ]; then
        systemctl start docker
        wait_for "the Docker engine" engine_answers /dev/null
        return 0
    fi
    # A pid file of an engine that is gone keeps a new one from starting.
    if [ -f /var/run/docker.pid ] && ! kill -0 "$(cat /var/run/docker.pid)" 2>/dev/null; then
        rm -f /var/run/docker.pid
    fi
    mkdir -p "$cache"
    setsid nohup dockerd >"$cache/dockerd.log" 2>&1 </dev/null &
    wait_for "the Docker engine" engine_answers "$cache/dockerd.log"
}

start_registry() {
    if ! command -v docker-registry >/dev/null; then install docker-registry; fi
    echo "starting a registry on 127.0.0.1:5000"
    mkdir -p "$cache/registry"
    # Debian's own configuration asks for a password.
    cat >"$cache/registry.yml" <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: "$cache/registry"}, delete: {enabled: true}}
http: {addr: "127.0.0.1:5000"}
YAML
    setsid nohup docker-registry serve "$cache/registry.yml" >"$cache/registry.log" 2>&1 </dev/null &
    wait_for "the registry" registry_answers "$cache/registry.log"
}

if ! engine_answers; then
    if [ -n "${DOCKER_HOST:-}" ]; then
        echo "the Docker engine at DOCKER_HOST=$DOCKER_HOST does not answer: start it, or unset DOCKER_HOST" >&2
        exit 1
    elif ! can_install; then
        echo "no Docker engine answers, and this is not root on Debian or Ubuntu:" >&2
        echo "install Docker and start it, or point DOCKER_HOST at an engine" >&2
        exit 1
    fi
    start_engine
fi

if ! registry_answers; then
    if command -v docker-registry >/dev/null || can_install; then
        start_registry
    elif docker pull -q registry:2 >/dev/null 2>&1; then
        docker run -d --name rollout-registry -p 127.0.0.1:5000:5000 registry:2 >/dev/null
        wait_for "the registry" registry_answers /dev/null
    else
        echo "no registry answers on 127.0.0.1:5000: run one there, for example Debian's docker-registry" >&2
        exit 1
    fi
fi
