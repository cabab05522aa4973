# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# apt with a state of our own under work/apt, so that packages of any Debian suite can
# be downloaded without touching the machine's configuration.

APT_DIR=$WORK/apt
APT_SUITES="bookworm bookworm-security trixie trixie-security trixie-backports forky"

# The mirror that the machine itself uses: apt_mirror main|security
apt_mirror() {
	local kind=$1 f
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		awk -v RS= -v kind="$kind" '
		{
			uri = suites = ""
			n = split($0, line, "\n")
			for (i = 1; i <= n; i++) {
				if (line[i] ~ /^URIs:/)   { split(line[i], w, /[ \t]+/); uri = w[2] }
				if (line[i] ~ /^Suites:/) suites = line[i]
			}
			sec = suites ~ /-security/
			if (uri ~ /debian/ && sec == (kind == "security")) print uri
		}' "$f"
	done
	[ -f /etc/apt/sources.list ] || return 0
	awk -v kind="$kind" '$1 == "deb" {
		i = 2
		if ($i ~ /^\[/) { while ($i !~ /\]$/) i++; i++ }
		sec = $(i + 1) ~ /-security/
		if ($i ~ /debian/ && sec == (kind == "security")) print $i
	}' /etc/apt/sources.list
}

apt_setup() {
	local main security suite uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -f "$keyring" ] || die "no $keyring here: install debian-archive-keyring"
	main=$(apt_mirror main | head -n 1)
	security=$(apt_mirror security | head -n 1)
	[ -n "$main" ] || die "no Debian mirror in this machine's apt sources"
	[ -n "$security" ] || security=${main%/}-security
	mkdir -p "$APT_DIR"/{lists/partial,archives/partial,etc/apt.conf.d,etc/preferences.d}
	for suite in $APT_SUITES; do
		case $suite in *-security) uri=$security ;; *) uri=$main ;; esac
		echo "deb [signed-by=$keyring] $uri $suite main"
		case $suite in trixie*|bookworm*) echo "deb-src [signed-by=$keyring] $uri $suite main" ;; esac
	done >"$APT_DIR/sources.list.new"
	if ! cmp -s "$APT_DIR/sources.list.new" "$APT_DIR/sources.list"; then
		mv "$APT_DIR/sources.list.new" "$APT_DIR/sources.list"
		rm -f "$APT_DIR/updated"
	fi
	rm -f "$APT_DIR/sources.list.new"
	: >>"$APT_DIR/status"
}

# our_apt PROGRAM args...: apt-get, apt-cache with that state.
our_apt() {
	local program=$1
	shift
	"$program" -o Dir::State="$APT_DIR" -o Dir::State::lists="$APT_DIR/lists" \
		-o Dir::State::status="$APT_DIR/status" -o Dir::Cache="$APT_DIR" \
		-o Dir::Cache::archives="$APT_DIR/archives" \
		-o Dir::Etc::sourcelist="$APT_DIR/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferencesparts="$APT_DIR/etc/preferences.d" \
		-o APT::Sandbox::User=root -o APT::Architecture=amd64 -o APT::Install-Recommends=false \
		-o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# Fresh package lists, once a day, or now with 'apt_update force'.
apt_update() {
	apt_setup
	if [ "${1:-}" != force ] && [ -n "$(find "$APT_DIR/updated" -mmin -1440 2>/dev/null)" ]; then
		return
	fi
	step "update package lists"
	our_apt apt-get -q update >"$APT_DIR/update.log" 2>&1 ||
		die "apt-get update failed: $(grep -m1 '^[EW]:' "$APT_DIR/update.log")"
	touch "$APT_DIR/updated"
	step_done
}
