# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Shared by the scripts that make, boot and test the host. Source it, don't run it.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=${KVMCOCO_WORK:-$ROOT/work}
export LAB=$ROOT/lab
PROG=${0##*/}
HOST_T0=$SECONDS

step() { printf '[%s +%ds] %s\n' "$PROG" $((SECONDS - HOST_T0)) "$*" >&2; }
warn() { printf '[%s] WARNING: %s\n' "$PROG" "$*" >&2; }
die() { printf '[%s] error: %s\n' "$PROG" "$*" >&2; exit 2; }

# need COMMAND PACKAGE: a missing command names the package that has it
need() { command -v "$1" >/dev/null || die "$1 is missing (apt-get install $2, or run 'make deps')"; }

# one_at_a_time NAME: wait for another run of the same builder to finish
one_at_a_time()
{
	mkdir -p "$WORK/lock"
	exec 9>"$WORK/lock/$1"
	flock -n 9 && return
	step "another '$1' is running, waiting for it"
	flock 9
}
