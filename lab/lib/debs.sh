# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Binary packages of other Debian suites, on top of lib/apt.sh. Source that and
# lib/common.sh first.

DEBS_CACHE=$DL/image

debs_pin() { printf 'Package: %s\nPin: release n=%s\nPin-Priority: %s\n\n' "$1" "$2" "$3"; }

# What comes from where: trixie, but QEMU and its firmware from trixie-backports and
# OVMF from forky, which alone has the images for SNP and TDX.
debs_setup()
{
	mkdir -p "$APT_DIR" "$DEBS_CACHE"
	{
		debs_pin '*' 'bookworm*' 40
		debs_pin '*' forky 50
		debs_pin '*' trixie-backports 100
		debs_pin 'qemu-system-* seabios ipxe-qemu' trixie-backports 990
		debs_pin 'ovmf ovmf-*' forky 990
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
	local pv tmp=$DEBS_CACHE/tmp file
	[ $# -gt 0 ] || return 0
	rm -rf "$tmp"; mkdir -p "$tmp"
	(cd "$tmp" && debs_apt apt-get download -q "$@" >"$APT_DIR/download.log" 2>&1) || return 1
	for pv in "$@"; do
		for file in "$tmp/${pv%%=*}"_*.deb; do mv "$file" "$(debs_file "${pv%%=*}" "${pv#*=}")"; done
	done
}
