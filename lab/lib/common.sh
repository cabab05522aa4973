# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Helpers that all lab scripts source: paths, steps with their time, logs, errors.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$ROOT/work
LOGS=$WORK/logs
DL=$WORK/dl
PROG=lab/$(basename "$0")
export ROOT WORK LOGS DL

say()  { printf '[%s] %s\n' "${PROG#lab/}" "$*" >&2; }
warn() { printf '[%s] warning: %s\n' "${PROG#lab/}" "$*" >&2; }
die()  { printf '%s: %s\n' "$PROG" "$*" >&2; exit 1; }
usage() { printf 'usage: %s\n' "$*" >&2; exit 2; }

# step "what"; ...; step_done ["result"]: says what begins, and how long it took.
STEP_NAME='' STEP_START=0
step() { STEP_NAME=$*; STEP_START=$SECONDS; say "$*"; }
step_done() { say "$STEP_NAME: ${1:+$1, }done in $((SECONDS - STEP_START)) s"; }

# run_logged LOG what command...: output goes to work/logs/LOG.log. The last line of it is shown
# as it goes; on failure its end is printed. Interrupting the script ends all of the command,
# which is a process group of its own for that.
run_logged() {
	local log=$LOGS/$1.log what=$2 pid lines last=$SECONDS
	shift 2
	mkdir -p "$LOGS"
	step "$what (log: work/logs/$(basename "$log"))"
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	trap 'kill -- "-$pid"; exit 130' INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		[ $((SECONDS - last)) -ge 20 ] || continue
		last=$SECONDS
		lines=$(wc -l <"$log")
		say "  $((SECONDS - STEP_START)) s, $lines lines: $(tail -n 1 "$log" | cut -c1-70)"
	done
	if ! wait "$pid"; then
		grep -E 'error|Error|undefined|No rule' "$log" | head -n 15 >&2 || true
		tail -n 15 "$log" >&2
		die "$what failed, see $log"
	fi
	trap - INT TERM HUP
	step_done
}

# need COMMAND...: dies with the way out when one is missing.
need() {
	local c
	for c; do
		command -v "$c" >/dev/null || die "no '$c' here: run 'make deps'"
	done
}

# with_lock NAME: holds work/NAME.lock until the script ends.
with_lock() {
	mkdir -p "$WORK"
	exec 9>"$WORK/$1.lock"
	if ! flock -n 9; then
		say "waiting for another $1"
		flock 9
	fi
}
