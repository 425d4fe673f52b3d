#!/bin/sh
# guard.sh LOG REMOVE COMMAND ARG...
# Runs COMMAND with its output in LOG, prints its process id, and exits with its code. When standard input closes (the
# tests ended, however they ended) it kills COMMAND and removes the folder REMOVE, unless that is empty.
log=$1 remove=$2
shift 2
exec 3<&0
"$@" 3<&- </dev/null >>"$log" 2>&1 &
pid=$!
(
  read -r _ <&3
  kill -9 "$pid" 2>/dev/null
  [ -z "$remove" ] || { sleep 0.3; rm -rf "$remove"; }
) >/dev/null 2>&1 &
watcher=$!
echo "$pid"
exec >/dev/null
wait "$pid"
code=$?
[ -n "$remove" ] || kill "$watcher" 2>/dev/null
exit "$code"
