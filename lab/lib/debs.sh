# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Debian packages of other suites, through an apt state of our own that leaves the
# machine's untouched. Source lib/host.sh first.

DEBS_STATE=$WORK/apt
DEBS_CACHE=$WORK/dl/image

# The mirror this machine already uses for Debian itself.
debs_mirror()
{
	local uri
	uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
		grep -v '^[[:space:]]*#' | grep -oE '[a-z+]+:/[^][:space:]]*/debian/?([[:space:]]|$)' | head -n1 | tr -d '[:space:]')
	[ -n "$uri" ] || die "no Debian mirror in this machine's apt sources"
	echo "${uri%/}"
}

debs_pin() { printf 'Package: %s\nPin: release n=%s\nPin-Priority: %s\n\n' "$1" "$2" "$3"; }

# What comes from where: trixie, but QEMU and its firmware from trixie-backports and
# OVMF from forky, which alone has the images for SNP and TDX.
debs_preferences()
{
	debs_pin '*' bookworm 40
	debs_pin '*' bookworm-backports 30
	debs_pin '*' forky 50
	debs_pin '*' trixie-backports 100
	debs_pin 'qemu-system-* seabios ipxe-qemu' trixie-backports 990
	debs_pin 'ovmf ovmf-*' forky 990
}

debs_setup()
{
	local uri suite key=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$DEBS_STATE"/{lists/partial,cache/archives/partial,parts} "$DEBS_CACHE"
	: >"$DEBS_STATE/status"
	uri=$(debs_mirror)
	for suite in trixie trixie-backports forky bookworm bookworm-backports; do
		echo "deb [arch=amd64 signed-by=$key] $uri $suite main"
	done >"$DEBS_STATE/sources.list"
	debs_preferences >"$DEBS_STATE/preferences"
	cat >"$DEBS_STATE/apt.conf" <<-EOF
		Dir::State "$DEBS_STATE";
		Dir::State::Lists "$DEBS_STATE/lists";
		Dir::State::Status "$DEBS_STATE/status";
		Dir::Cache "$DEBS_STATE/cache";
		Dir::Etc::SourceList "$DEBS_STATE/sources.list";
		Dir::Etc::SourceParts "$DEBS_STATE/parts";
		Dir::Etc::Preferences "$DEBS_STATE/preferences";
		Dir::Etc::PreferencesParts "$DEBS_STATE/parts";
		APT::Architecture "amd64";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "3";
	EOF
	export APT_CONFIG=$DEBS_STATE/apt.conf
}

# Package lists older than a day are fetched anew.
debs_update()
{
	[ -n "$(find "$DEBS_STATE/updated" -mmin -1440 2>/dev/null)" ] && return
	step "package lists of trixie, trixie-backports, forky, bookworm"
	apt-get update -q >"$DEBS_STATE/update.log" 2>&1 || { tail -n5 "$DEBS_STATE/update.log" >&2; die "apt-get update failed"; }
	touch "$DEBS_STATE/updated"
}

# debs_suite_version PACKAGE SUITE: the newest version that suite has
debs_suite_version()
{
	apt-cache madison "$1" | awk -v s="$2" '{ split($6, a, "/"); if (a[1] == s) { print $3; exit } }'
}

# debs_file PACKAGE VERSION: where a package is kept
debs_file() { echo "$DEBS_CACHE/$1_${2//:/%3a}.deb"; }

# debs_download PACKAGE=VERSION...: into the cache; apt checks the signed hashes
debs_download()
{
	local pv tmp=$DEBS_STATE/tmp file
	[ $# -gt 0 ] || return 0
	rm -rf "$tmp"; mkdir -p "$tmp"
	(cd "$tmp" && apt-get download -q "$@" >"$DEBS_STATE/download.log" 2>&1) || return 1
	for pv in "$@"; do
		for file in "$tmp/${pv%%=*}"_*.deb; do mv "$file" "$(debs_file "${pv%%=*}" "${pv#*=}")"; done
	done
}
