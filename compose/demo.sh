#!/bin/sh
# A rolling update of dockercoins, watched, hurried, and rolled back.  `make demo` runs it.
# Needs no answers and no terminal; every command is printed before it runs.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
PATH=$here/.venv/bin:$PATH
file=compose/dockercoins.yml
image=${REGISTRY-127.0.0.1:5000}/dockercoins_worker
port=${WEBUI_PORT-8000}
page=http://127.0.0.1:$port

port_is_free() {
    python3 -c 'import socket, sys
socket.create_server(("127.0.0.1", int(sys.argv[1]))).close()' "$port" 2>/dev/null
}

if ! rollout ps dockercoins_webui >/dev/null 2>&1 && ! port_is_free; then
    echo "port $port, for the page, is taken: name another: WEBUI_PORT=8001 make demo" >&2
    exit 1
fi

work=$(mktemp -d)
background=

finish() {
    status=$?
    if [ -n "$background" ]; then
        kill "$background" 2>/dev/null || true
        wait "$background" 2>/dev/null || true
    fi
    rm -rf "$work"
    if [ "$status" != 0 ]; then
        printf '\nThe demo stopped early (exit code %s). What is there: rollout ps dockercoins\n' "$status" >&2
        printf 'To start afresh: rollout rm dockercoins, then make demo\n' >&2
    fi
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
if [ ! -t 1 ] || [ -n "${NO_COLOR-}" ]; then say() { printf '\n%s\n' "$*"; }; fi

run() { # print a command as one would type it, then run it
    printf '$ %s\n' "$*"
    "$@"
}

speed() { # [SAMPLES]: hashes a second of the last minute, once there are so many samples
    python3 compose/speed.py "$page/json" "$@"
}

worker() { # VERSION SLEEP: build and push a worker with another sleep
    cp -r compose/dockercoins "$work/$1"
    sed "s/^VERSION = .*/VERSION = \"$1\"/; s/^SLEEP = .*/SLEEP = $2/" \
        compose/dockercoins/worker/worker.py >"$work/$1/worker/worker.py"
    cat >"$work/$1.yml" <<YAML
name: dockercoins
services:
  worker:
    image: $image:$1
    build:
      context: $1
      dockerfile: worker/Dockerfile
      args: {BASE: "${PYTHON_IMAGE-python:3.11-slim}"}
YAML
    echo "In a copy of compose/dockercoins, $work/$1, worker.py now says SLEEP = $2"
    run rollout build -c "$work/$1.yml"
    run rollout push -c "$work/$1.yml"
}

newest() { # the number of the worker's newest revision
    rollout history dockercoins_worker --format json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[-1]["revision"])'
}

running() { # REVISION: how many workers of it run
    rollout ps dockercoins_worker --format json | python3 -c '
import json, sys
tasks = json.load(sys.stdin)
print(sum(t["revision"] == int(sys.argv[1]) and t["current_state"] == "running" for t in tasks))' "$1"
}

update() { # ARGUMENT...: an update of the worker in the background, to look at while it goes on
    revision=$(($(newest) + 1))
    printf '$ rollout update dockercoins_worker %s\n' "$*"
    rollout update dockercoins_worker "$@" --progress plain &
    background=$!
}

until_running() { # COUNT: until the update in the background has brought so many workers
    while true; do
        count=$(running "$revision")
        if [ "$count" -ge "$1" ]; then return 0; fi
        if ! kill -0 "$background" 2>/dev/null; then
            echo "the update ended before $1 workers of revision $revision ran" >&2
            exit 1
        fi
        sleep 0.5
    done
}

ended() { # [CODE]: the update in the background, with that exit code (else 0)
    code=0
    wait "$background" || code=$?
    background=
    if [ "$code" -ne "${1:-0}" ]; then
        echo "the update ended with $code, not with ${1:-0}" >&2
        exit 1
    fi
}

cat <<TEXT
Lines that start with \$ can be typed as they are, after
  cd $here && export PATH="\$PWD/.venv/bin:\$PATH"
TEXT

say "1. Build dockercoins v0.1, push it to a registry on this host, deploy it with ten workers"
run rollout build -c "$file"
run rollout push -c "$file"
run rollout deploy -c "$file" --progress plain
run rollout services dockercoins
echo
echo "The hashing speed as a live graph: $page"
speed 12

say "2. Change the worker: it rests 0.05 s instead of 0.1 s. Build v0.2, push it"
worker v0.2 0.05

say "3. Roll it out two at a time, 10 s between batches, as the file's update_config says"
update --image "$image:v0.2"
until_running 4
speed

say "4. Too slow? Change the cadence while it is under way, from a second command"
run rollout update dockercoins_worker --update-parallelism 3 --update-delay 2s --progress quiet
ended
speed

say "5. Another change: v0.3 rests a whole second. Nobody has noticed yet: roll it out"
worker v0.3 1
update --image "$image:v0.3" --update-delay 8s
until_running 6
sleep 3
speed

say "6. It hashes less and less: roll back before the update is complete"
run rollout rollback dockercoins_worker --progress quiet
ended 9 # superseded: somebody else has asked for another definition
sleep 8
speed

say "7. What was asked for, and what became of it"
run rollout history dockercoins_worker
run rollout ps dockercoins_worker

say "Done. The stack goes on running; its graph is at $page"
cat <<TEXT
Any definition:     rollout rollback dockercoins_worker --to 1
v0.3 all the same:  rollout rollback dockercoins_worker --to $revision    (it never was complete, so it must be named)
Break it:           rollout update dockercoins_worker --args "false" --update-failure-action rollback
Take it down:       rollout rm dockercoins                   (or make demo-down)
TEXT
