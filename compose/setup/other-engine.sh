#!/bin/sh
# Run a command on the Docker engine of another Debian suite, beside the one that is there, with
# that suite's docker-compose.
# Usage: other-engine.sh SUITE COMMAND...
#
# The suite's packages are unpacked into .cache, never installed.  Engine and command share a
# network, mounts and processes of their own: there the engine has the default socket, and when
# the command ends nothing of it is left but what is in .cache.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=compose/setup/debian.sh
. "$here/compose/setup/debian.sh"
suite=$1
cache=$here/.cache/engines/$suite
plugins=usr/libexec/docker/cli-plugins

fetch() {
    if [ -x "$cache/root/usr/sbin/dockerd" ] && [ -x "$cache/root/$plugins/docker-compose" ]; then
        return 0
    fi
    rm -rf "$cache/new"
    echo "fetching the Docker engine of Debian $suite"
    apt=$cache/apt
    mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    : >"$apt/status"
    # shellcheck disable=SC1091
    installed=$(. /etc/os-release && echo "$VERSION_CODENAME")
    if [ -z "$(mirror "$installed")" ]; then apt-get update >/dev/null; fi
    found=$(mirror "$installed")
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $found $suite main" \
        >"$apt/sources.list"
    # An apt of its own: the system's lists, packages and cache never see this suite.
    cat >"$apt/apt.conf" <<CONF
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
    (
        cd "$apt/archives"
        APT_CONFIG=$apt/apt.conf
        export APT_CONFIG
        # Not runc: it needs the libc of its suite, and the installed one does as well.
        { apt-get update && apt-get download docker.io containerd docker-compose; } >"$cache/apt.log" 2>&1 ||
            { tail -n 5 "$cache/apt.log" >&2; exit 1; }
        for package in *.deb; do dpkg -x "$package" "$cache/new"; done
    )
    rm -rf "$cache/root"
    mv "$cache/new" "$cache/root"
}

save_images() { # the engine that is there has them already, and inside there is no network
    docker save -o "$cache/images.tar" python:3.11-slim redis:7 busybox:1.36
}

# The variables are for the shell inside.
# shellcheck disable=SC2016
inside='
    set -eu
    here=$1 cache=$2; shift 2
    mount -t tmpfs none /run
    mkdir /run/engine
    mount --bind "$cache/root" /run/engine
    PATH=/run/engine/usr/sbin:/run/engine/usr/bin:$PATH
    PATH=$PATH:/run/engine/usr/libexec/docker/cli-plugins
    for each in /var/lib/docker /var/lib/containerd; do
        mkdir -p "$each" "$cache/state$each"
        mount --bind "$cache/state$each" "$each"
    done
    # The logs and the registry of what is outside stay theirs.
    mkdir -p "$cache/state/cache"
    mount --bind "$cache/state/cache" "$here/.cache"
    ip link set lo up
    "$here/compose/setup/engine.sh"
    docker load -q -i "$here/.cache/images.tar" >/dev/null
    docker version --format "on engine {{.Server.Version}}, API {{.Server.APIVersion}}"
    exec "$@"'

if [ "$(id -u)" != 0 ]; then
    echo "a second engine is started by root only" >&2
    exit 1
fi
shift
fetch
save_images
mkdir -p "$cache/state/cache"
mv "$cache/images.tar" "$cache/state/cache/images.tar"
unset DOCKER_HOST DOCKER_CONTEXT
exec unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc \
    sh -c "$inside" inside "$here" "$cache" "$@"
