#!/bin/sh
# The base images of demo and tests: pulled where a registry answers; where none does (a closed
# network), images of the same names are built from Debian's packages.
set -eu

python_image=python:3.11-slim
redis_image=redis:7
busybox_image=busybox:1.36
debian_image=rollout-debian:base
closed=

# shellcheck source=compose/setup/debian.sh
. "$(dirname "$0")/debian.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

there() {
    docker image inspect "$1" >/dev/null 2>&1
}

pulled() { # one failure is enough: the network is closed, and the others need not wait for it
    if [ -n "$closed" ]; then return 1; fi
    echo "pulling $1"
    if timeout 300 docker pull -q "$1" >/dev/null 2>&1; then return 0; fi
    echo "no registry answers: building it, and whatever else is missing, from Debian's packages"
    closed=yes
    return 1
}

need() { # COMMAND PACKAGE
    if command -v "$1" >/dev/null; then return 0; fi
    if ! can_install; then
        echo "$1 is missing: install it, on Debian as $2" >&2
        exit 1
    fi
    install "$2"
}

need_static_busybox() { # what the tests run is made from it, whatever the registries have
    need busybox busybox-static
    # Debian's plain busybox needs a libc; ldd succeeds for such a one.
    if ! ldd "$(command -v busybox)" >/dev/null 2>&1; then return 0; fi
    if ! can_install; then
        echo "busybox is not static: install Debian's busybox-static" >&2
        exit 1
    fi
    install busybox-static
}

build() { # TAG CONTEXT: its Dockerfile, quietly
    DOCKER_BUILDKIT=0 docker build -t "$1" "$2" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
}

on_debian() { # TAG LINES: an image that adds these lines of a Dockerfile
    debian
    mkdir -p "$work/on-debian"
    printf 'FROM %s\n%s\n' "$debian_image" "$2" >"$work/on-debian/Dockerfile"
    build "$1" "$work/on-debian"
}

debian() {
    if there "$debian_image"; then return 0; fi
    need debootstrap debootstrap
    echo "building $debian_image from Debian's packages (about half a minute)"
    # shellcheck disable=SC1091
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # Ubuntu keeps redis-server in universe.
    # shellcheck disable=SC1091
    components=$(. /etc/os-release && [ "$ID" = ubuntu ] && echo main,universe || echo main)
    if [ -z "$(mirror "$suite")" ]; then apt-get update >/dev/null; fi
    root=$work/debian
    if ! debootstrap --variant=minbase --components="$components" --include=python3,redis-server \
        "$suite" "$root" "$(mirror "$suite")" >"$work/log" 2>&1; then
        tail -n 20 "$work/log" >&2
        exit 1
    fi
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
        "$root"/usr/share/man/* "$root"/usr/share/locale/*
    tar -C "$root" -c . | docker import - "$debian_image" >/dev/null
}

from_scratch() {
    mkdir "$work/busybox"
    cp "$(command -v busybox)" "$work/busybox/busybox"
    cat >"$work/busybox/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
CMD ["sh"]
DOCKERFILE
    build "$busybox_image" "$work/busybox"
}

need_static_busybox
there "$busybox_image" || pulled "$busybox_image" || from_scratch
there "$python_image" || pulled "$python_image" || on_debian "$python_image" 'CMD ["python3"]'
there "$redis_image" || pulled "$redis_image" || on_debian "$redis_image" \
    'EXPOSE 6379
CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"]'
