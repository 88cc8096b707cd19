# shellcheck shell=sh
# Sourced by the other scripts: packages of Debian or Ubuntu, where this is one and we may.

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install() { # PACKAGE...: silent but for one line, unless it fails
    echo "installing Debian's $*"
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}

mirror() { # SUITE: where this host's apt finds it; nothing before the first apt-get update
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Component: main' "Codename: $1" | head -n 1
}
