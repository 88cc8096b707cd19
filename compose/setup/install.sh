#!/bin/sh
# Make a virtual environment with the package and what its development needs.
# Usage: install.sh PYTHON VENV
set -eu

python=$1
venv=$2
# shellcheck source=compose/setup/debian.sh
. "$(dirname "$0")/debian.sh"

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "rollout needs Python 3.11 or newer, and $python is not; name one: make PYTHON=python3.12 …" >&2
    exit 1
fi
# Debian has the half of venv that brings pip in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if ! can_install; then
        echo "$python has no venv: install it, on Debian and Ubuntu as $package" >&2
        exit 1
    fi
    install "$package"
fi

echo "installing into $venv"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}
quietly "$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check"
# shellcheck disable=SC2086
quietly $pip install --upgrade 'pip>=25.1'
# shellcheck disable=SC2086
quietly $pip install --editable . --group dev --constraint tests/requirements.lock
