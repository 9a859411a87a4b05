#!/bin/sh
# The main job, from notifications to an answer, its reason, and samples joined, in a folder that is removed afterwards.
set -eu

INSTANCE=instance/ecc8543c-7ff1-4523-adfa-3e063a72ee7c
AT=2026-03-01T12:00:00Z

examples=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
cd "$folder"
cp "$examples/notifications.jsonl" "$examples/samples.jsonl" .
export TIMELINE_STORE=sqlite:///demo.db

run() {
    printf '\n# %s\n' "$1"
    shift
    printf '$ %s\n' "$*"
    "$@"
}

run 'A store is made once.' \
    timeline init
run 'Two days of six instances, a notification a line; some came twice, some late.' \
    timeline ingest notifications.jsonl --format table
run 'What the store holds now.' \
    timeline status --format table
run 'Every instance, also the one that is deleted.' \
    timeline resources --type instance --existence any --format table
run 'What happened to one of them, and when.' \
    timeline history "$INSTANCE" --format table
run 'What it was at noon of the first day.' \
    timeline show "$INSTANCE" --at "$AT" --format table
run 'Why it had this flavor: the message came half a day late, and counts from when the resize happened.' \
    timeline explain "$INSTANCE" flavor --at "$AT" --format table
run 'Samples, as a metering agent has them: nothing in them tells a flavor.' \
    head -n 3 samples.jsonl
run 'Each of them, with what its instance was at that time.' \
    timeline join samples.jsonl --fields flavor,vcpus --format table
