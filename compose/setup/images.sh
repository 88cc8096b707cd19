#!/bin/sh
# The base images of demo and tests: pulled where a registry answers; where none does (a closed
# network), images of the same names are built from Debian's packages.
set -eu

python_image=python:3.11-slim
redis_image=redis:7
busybox_image=busybox:1.36
debian_image=rollout-debian:base

there() { docker image inspect "$1" >/dev/null 2>&1; }

pulled() { timeout 120 docker pull -q "$1" >/dev/null 2>&1; }

need() { # COMMAND PACKAGE
    if command -v "$1" >/dev/null; then return 0; fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "no registry answers, and Debian's $2 is needed to build images without one" >&2
        exit 1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2" >/dev/null ||
        { apt-get update >/dev/null && apt-get install -y --no-install-recommends "$2" >/dev/null; }
}

build() { # TAG, Dockerfile on stdin, files in the current directory
    log=$(mktemp)
    DOCKER_BUILDKIT=0 docker build -t "$1" -f - . >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    rm -f "$log"
}

debian() {
    if there "$debian_image"; then return 0; fi
    need debootstrap debootstrap
    echo "building $debian_image from Debian's packages (about half a minute)"
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
    # shellcheck disable=SC1091
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # Ubuntu keeps redis-server in universe.
    # shellcheck disable=SC1091
    components=$(. /etc/os-release && [ "$ID" = ubuntu ] && echo main,universe || echo main)
    if ! debootstrap --variant=minbase --components="$components" --include=python3,redis-server \
        "$suite" "$root" "$mirror" >"$root.log" 2>&1; then
        tail -n 20 "$root.log" >&2
        exit 1
    fi
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
        "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root.log"
    tar -C "$root" -c . | docker import - "$debian_image" >/dev/null
    rm -rf "$root"
    trap - EXIT
}

# What the tests build is made from a static busybox, whatever the registries say.
need busybox busybox-static

if ! there "$busybox_image" && ! pulled "$busybox_image"; then
    echo "building $busybox_image from Debian's busybox-static"
    work=$(mktemp -d)
    cp "$(command -v busybox)" "$work/busybox"
    (cd "$work" && build "$busybox_image" <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
CMD ["sh"]
DOCKERFILE
    )
    rm -rf "$work"
fi

if ! there "$python_image" && ! pulled "$python_image"; then
    debian
    cd "$(mktemp -d)"
    printf 'FROM %s\nCMD ["python3"]\n' "$debian_image" | build "$python_image"
fi

if ! there "$redis_image" && ! pulled "$redis_image"; then
    debian
    cd "$(mktemp -d)"
    printf 'FROM %s\nEXPOSE 6379\nCMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"]\n' \
        "$debian_image" | build "$redis_image"
fi
