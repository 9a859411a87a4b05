#!/bin/sh
# The main job, from notifications to an answer and its reason, in a folder that is removed afterwards.
set -eu

INSTANCE=INSTANCE_ID
AT=2026-03-01T12:00:00Z
FIELD=flavor

examples=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
cd "$folder"
cp "$examples/notifications.jsonl" .
export TIMELINE_STORE=sqlite:///demo.db

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

run timeline init
run timeline ingest notifications.jsonl
run timeline resources --type instance
run timeline history "instance/$INSTANCE"
run timeline show "instance/$INSTANCE" --at "$AT"
run timeline explain "instance/$INSTANCE" "$FIELD" --at "$AT"
run timeline status
