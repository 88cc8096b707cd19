#!/bin/sh
# A rolling update of dockercoins, watched, hurried, and rolled back.  `make demo` runs it.
# Needs no answers and no terminal; every command is printed before it runs.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
PATH=$here/.venv/bin:$PATH
file=compose/dockercoins.yml
page=http://127.0.0.1:${WEBUI_PORT-8000}
work=$(mktemp -d)
background=

finish() {
    status=$?
    if [ -n "$background" ]; then kill "$background" 2>/dev/null || true; fi
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

speed() { # hashes a second of the last minute, one block for every two seconds
    python3 - "$page/json" <<'PYTHON' || true
import json, sys, urllib.request
samples = json.load(urllib.request.urlopen(sys.argv[1], timeout=5))[-60:]
pairs = [samples[at : at + 2] for at in range(0, len(samples), 2)]
means = [sum(each["speed"] for each in pair) / len(pair) for pair in pairs]
top = max(means, default=0) or 1
line = "".join("▁▂▃▄▅▆▇█"[min(int(mean / top * 8), 7)] for mean in means)
workers = ", ".join(f"{count} × {version}" for version, count in samples[-1]["workers"].items())
print(f"  hashes a second, last {len(samples)} s: {line} now {samples[-1]['speed']:.0f} ({workers})")
PYTHON
}

worker() { # VERSION SLEEP: build and push a worker with another sleep
    cp -r compose/dockercoins/worker "$work/$1"
    sed -i "s/^VERSION = .*/VERSION = \"$1\"/; s/^SLEEP = .*/SLEEP = $2/" "$work/$1/worker.py"
    cat >"$work/$1.yml" <<YAML
name: dockercoins
services:
  worker:
    image: 127.0.0.1:5000/dockercoins_worker:$1
    build: {context: "$work/$1", args: {BASE: "${PYTHON_IMAGE-python:3.11-slim}"}}
YAML
    echo "\$ sed -i 's/^SLEEP = .*/SLEEP = $2/' worker.py        # in a copy of compose/dockercoins/worker"
    run rollout build -c "$work/$1.yml"
    run rollout push -c "$work/$1.yml"
}

wait_for_batches() { # REVISION COUNT: until so many workers of a revision have been started
    for _ in $(seq 240); do
        started=$(rollout ps dockercoins_worker --format json | python3 -c '
import json, sys
tasks = json.load(sys.stdin)
print(sum(t["revision"] == int(sys.argv[1]) and t["current_state"] == "running" for t in tasks))' "$1")
        if [ "$started" -ge "$2" ]; then return 0; fi
        sleep 0.5
    done
    echo "the update does not get on" >&2
    return 1
}

newest() { # the number of the worker's newest revision
    rollout history dockercoins_worker --format json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[-1]["revision"])'
}

say "1. Build dockercoins v0.1, push it to a registry on this host, deploy it with ten workers"
run rollout build -c "$file"
run rollout push -c "$file"
run rollout deploy -c "$file" --progress plain
run rollout services dockercoins
echo
echo "The hashing speed as a live graph: $page"
sleep 10
speed

say "2. Change the worker: it rests 0.05 s instead of 0.1 s. Build v0.2, push it"
worker v0.2 0.05

say "3. Roll it out two at a time, 10 s between batches, as the file's update_config says"
printf '$ rollout update dockercoins_worker --image 127.0.0.1:5000/dockercoins_worker:v0.2\n'
rollout update dockercoins_worker --image 127.0.0.1:5000/dockercoins_worker:v0.2 --progress plain &
background=$!
sleep 1
wait_for_batches "$(newest)" 4
speed

say "4. Too slow? Change the cadence while it is under way, from a second command"
run rollout update dockercoins_worker --update-parallelism 3 --update-delay 2s --progress quiet
wait "$background"
background=
speed

say "5. Another change: v0.3 rests a whole second. Nobody has noticed yet: roll it out"
worker v0.3 1
printf '$ rollout update dockercoins_worker --image 127.0.0.1:5000/dockercoins_worker:v0.3 --update-delay 8s\n'
rollout update dockercoins_worker --image 127.0.0.1:5000/dockercoins_worker:v0.3 \
    --update-delay 8s --progress plain &
background=$!
sleep 1
wait_for_batches "$(newest)" 6
sleep 3
speed

say "6. It hashes less and less: roll back before the update is complete"
run rollout rollback dockercoins_worker --progress quiet
wait "$background"
background=
sleep 8
speed

say "7. What was asked for, and what became of it"
run rollout history dockercoins_worker
run rollout ps dockercoins_worker

say "Done. The stack goes on running; its graph is at $page"
cat <<'TEXT'
Roll forward again: rollout rollback dockercoins_worker      (twice is back and forth)
Any definition:     rollout rollback dockercoins_worker --to 1
Break it:           rollout update dockercoins_worker --args "false" --update-failure-action rollback
Take it down:       rollout rm dockercoins                   (or make demo-down)
TEXT
