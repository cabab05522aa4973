# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Kernel configurations from fragments, and proof that every line of them arrived.

KMAKE=(make ARCH=x86_64 "CC=ccache gcc" "HOSTCC=ccache gcc"
	KBUILD_BUILD_USER=kvm-coco KBUILD_BUILD_HOST=lab KBUILD_BUILD_VERSION=1
	"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970")
export CCACHE_DIR=$WORK/ccache CCACHE_MAXSIZE=8G CCACHE_BASEDIR=$WORK CCACHE_NOHASHDIR=1

# The fragments of a configuration, in the order they are laid on each other.
config_fragments() {
	local dir=$ROOT/lab/config
	case $1 in
	lab) echo "$dir/lab.fragment" ;;
	*)
		[ -f "$dir/$1.fragment" ] || die "no configuration '$1' (lab/config/$1.fragment)"
		echo "$dir/lab.fragment" "$dir/$1.fragment" ;;
	esac
}

# fragment_check .config FRAGMENT...: prints every line that is not in .config as given;
# a later line overrides an earlier one; fails unless all that is missing is optional.
fragment_check() {
	local config=$1
	shift
	awk '
	FNR == 1 { file++ }
	file == 1 {
		if (match($0, /^CONFIG_[A-Za-z0-9_]+=/)) {
			have[substr($0, 1, RLENGTH - 1)] = substr($0, RLENGTH + 1)
		}
		next
	}
	match($0, /^CONFIG_[A-Za-z0-9_]+=/) {
		name = substr($0, 1, RLENGTH - 1); value = substr($0, RLENGTH + 1)
		optional = sub(/[ \t]+# optional$/, "", value)
		if (!(name in want)) order[++n] = name
		want[name] = value; opt[name] = optional
	}
	END {
		for (i = 1; i <= n; i++) {
			name = order[i]
			is = (name in have) ? have[name] : "n"
			if (is == want[name]) continue
			if (opt[name]) { print "  not in this tree: " name; continue }
			print "  " name " is " is ", not " want[name]; bad++
		}
		exit bad > 0
	}' "$config" "$@"
}

# configure SRC OBJ FRAGMENT...: OBJ/.config is replaced only if it really changes.
configure() {
	local src=$1 obj=$2 report
	shift 2
	mkdir -p "$obj"
	cat "$@" | sed -E 's/[[:space:]]+# optional$//' >"$obj/fragments"
	KCONFIG_CONFIG=$obj/.config.new KCONFIG_ALLCONFIG=$obj/fragments \
		"${KMAKE[@]}" -s -C "$src" O="$obj" allnoconfig >"$obj/config.log" 2>&1 ||
		{ tail -n 5 "$obj/config.log" >&2; die "make allnoconfig failed in $src"; }
	if ! report=$(fragment_check "$obj/.config.new" "$@"); then
		printf '%s\n' "$report" | grep -v 'not in this tree' >&2
		die "the configuration did not come out as the fragments say"
	fi
	[ -z "$report" ] || printf '%s\n' "$report" >"$obj/config.absent"
	if cmp -s "$obj/.config.new" "$obj/.config"; then
		rm -f "$obj/.config.new"
	else
		mv "$obj/.config.new" "$obj/.config"
	fi
}
