#!/bin/sh
# Make a virtual environment with the package and what its development needs.
# Usage: install.sh PYTHON VENV
set -eu

python=$1
venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "rollout needs Python 3.11 or newer; say which: make PYTHON=python3.12 $*" >&2
    exit 1
fi
if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
    echo "python's venv is missing: apt-get install python3-venv" >&2
    exit 1
fi

echo "installing into $venv"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
pip() {
    "$venv/bin/python" -m pip "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}
pip install --upgrade 'pip>=25.1'
pip install --editable . --group dev --constraint tests/requirements.lock
