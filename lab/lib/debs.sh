# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Binary packages of other Debian suites, on top of lib/apt.sh. Source that and
# lib/common.sh first.

DEBS_CACHE=$DL/image

debs_pin() { printf 'Package: %s\nPin: release n=%s\nPin-Priority: %s\n\n' "$1" "$2" "$3"; }

# What comes from where: trixie, but QEMU and its firmware from trixie-backports,
# OVMF from forky, which alone has the images for SNP and TDX, and snphost from sid.
debs_setup()
{
	mkdir -p "$APT_DIR" "$DEBS_CACHE"
	{
		debs_pin '*' 'bookworm*' 40
		debs_pin '*' sid 30
		debs_pin '*' forky 50
		debs_pin '*' trixie-backports 100
		debs_pin 'qemu-system-* seabios ipxe-qemu' trixie-backports 990
		debs_pin 'ovmf ovmf-*' forky 990
		debs_pin snphost sid 990
	} >"$APT_DIR/image.preferences"
	apt_update
}

debs_apt() { our_apt "$1" -o Dir::Etc::preferences="$APT_DIR/image.preferences" "${@:2}"; }

# debs_suite_version PACKAGE SUITE: the newest version that suite has
debs_suite_version()
{
	debs_apt apt-cache madison "$1" | awk -v s="$2" '{ split($6, a, "/"); if (a[1] == s || s == "") { print $3; exit } }'
}

# debs_depends PACKAGE: the kernel package that a metapackage stands for
debs_depends() { debs_apt apt-cache depends "$1" 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }'; }

# debs_file PACKAGE VERSION: where a package is kept
debs_file() { echo "$DEBS_CACHE/$1_${2//:/%3a}.deb"; }

# debs_download PACKAGE=VERSION...: into the cache; apt checks the signed hashes
debs_download()
{
	local pv tmp file
	[ $# -gt 0 ] || return 0
	tmp=$(mktemp -d "$DEBS_CACHE/tmp.XXXXXX")
	(cd "$tmp" && debs_apt apt-get download -q "$@" >"$APT_DIR/download.log" 2>&1) || { rm -rf "$tmp"; return 1; }
	for pv in "$@"; do
		for file in "$tmp/${pv%%=*}"_*.deb; do mv "$file" "$(debs_file "${pv%%=*}" "${pv#*=}")"; done
	done
	rmdir "$tmp"
}

# debs_closure PACKAGE...: what apt would install, one "package version" a line
debs_closure()
{
	debs_apt apt-get install -s -q "$@" | awk '/^Inst / { v = $3; sub(/^\(/, "", v); print $2, v }' | sort
}

# debs_write_lock FILE: from "package version" lines on standard input
debs_write_lock()
{
	local lock=$1 pkg ver suite specs names
	cat >"$APT_DIR/closure"
	[ -s "$APT_DIR/closure" ] || die "apt resolves nothing for $(basename "$lock")"
	mapfile -t specs < <(tr ' ' '=' <"$APT_DIR/closure")
	mapfile -t names < <(cut -d' ' -f1 "$APT_DIR/closure")
	step "downloading ${#specs[@]} packages"
	debs_download "${specs[@]}" || die "download failed, see $APT_DIR/download.log"
	debs_apt apt-cache madison "${names[@]}" >"$APT_DIR/madison"
	echo "# package version suite sha256 -- written by lab/$(basename "$lock" .lock) --relock" >"$lock.new"
	while read -r pkg ver; do
		suite=$(awk -v p="$pkg" -v v="$ver" '$1 == p && $3 == v { split($6, a, "/"); print a[1]; exit }' "$APT_DIR/madison")
		echo "$pkg $ver $suite $(sha256sum "$(debs_file "$pkg" "$ver")" | cut -d' ' -f1)"
	done <"$APT_DIR/closure" >>"$lock.new"
	mv "$lock.new" "$lock"
	say "$(basename "$lock"): ${#specs[@]} packages"
}

# debs_substitutes LOCK: "package pinned version", a line for each pin: the version that the archive has of it, which is the
# newest of its suite where the pinned one is gone. One question for all of them.
debs_substitutes()
{
	local names
	mapfile -t names < <(grep -v '^#' "$1" | cut -d' ' -f1)
	debs_apt apt-cache madison "${names[@]}" >"$APT_DIR/madison"
	grep -v '^#' "$1" | awk -v madison="$APT_DIR/madison" '
		BEGIN {
			while ((getline line < madison) > 0) {
				split(line, f, /[ |]+/); n = f[1] == "" ? 2 : 1
				split(f[n + 3], suite, "/")
				has[f[n] " " f[n + 1]] = 1
				if (!((f[n], suite[1]) in newest)) newest[f[n], suite[1]] = f[n + 1]
			}
		}
		{ print $1, $2, (($1 " " $2) in has) ? $2 : newest[$1, $3] }'
}

# debs_fetch LOCK: every package of a lock, or the newest of the same suite where the pinned one is gone; their files go
# to standard output
debs_fetch()
{
	local lock=$1 pkg ver suite sum missing=0 use file wanted=()
	local -A instead=()
	while read -r pkg ver suite sum; do
		[ -f "$(debs_file "$pkg" "$ver")" ] || missing=$((missing + 1))
	done < <(grep -v '^#' "$lock")
	if [ $missing -gt 0 ]; then
		debs_setup
		while read -r pkg ver use; do
			[ ! -f "$(debs_file "$pkg" "$ver")" ] || continue
			[ -n "$use" ] || die "the archive has no $pkg any more"
			[ "$use" = "$ver" ] || warn "$pkg $ver is gone, using $use: run lab/$(basename "$lock" .lock) --relock"
			[ "$use" = "$ver" ] || instead[$pkg]=$use
			[ -f "$(debs_file "$pkg" "$use")" ] || wanted+=("$pkg=$use")
		done < <(debs_substitutes "$lock")
		step "downloading ${#wanted[@]} packages"
		debs_download "${wanted[@]}" || die "download failed, see $APT_DIR/download.log"
		step_done
	fi
	while read -r pkg ver suite sum; do
		file=$(debs_file "$pkg" "${instead[$pkg]:-$ver}")
		# Another version than the pinned one has its hash from the signed lists only.
		[ -n "${instead[$pkg]:-}" ] || [ "$(sha256sum "$file" | cut -d' ' -f1)" = "$sum" ] ||
			die "$file does not have the pinned sha256 (delete it, or --relock)"
		echo "$file"
	done < <(grep -v '^#' "$lock")
}

# debs_unpack TREE: the files on standard input, all that they have
debs_unpack()
{
	local file
	while read -r file; do dpkg-deb --fsys-tarfile "$file" | tar -x -C "$1" --no-same-owner; done
}
