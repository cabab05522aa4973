# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A stock Debian kernel as host. Source lib/debs.sh first.

# kernel_deb PACKAGE[/SUITE]: unpack it, print the directory with bzImage and mods/
kernel_deb()
{
	local pkg=${1%%/*} suite=${1#*/} dep ver dir file rel
	[ "$suite" != "$1" ] || suite=
	debs_setup
	dep=$(debs_depends "$pkg${suite:+/$suite}")
	pkg=${dep:-$pkg}
	ver=$(debs_suite_version "$pkg" "$suite")
	[ -n "$ver" ] || die "no package '$pkg' in any suite"
	dir=$WORK/kernels/${pkg}_${ver//[:~]/.}
	if [ ! -f "$dir/release" ]; then
		step "stock kernel $pkg $ver"
		file=$(debs_file "$pkg" "$ver")
		[ -f "$file" ] || debs_download "$pkg=$ver" || die "cannot download $pkg"
		rm -rf "$dir"; mkdir -p "$dir/x" "$dir/mods/lib"
		dpkg-deb -x "$file" "$dir/x"
		rel=$(basename "$dir"/x/boot/vmlinuz-*); rel=${rel#vmlinuz-}
		mv "$dir/x/boot/vmlinuz-$rel" "$dir/bzImage"
		mv "$dir/x/boot/config-$rel" "$dir/config"
		if [ -d "$dir/x/usr/lib/modules" ]; then mv "$dir/x/usr/lib/modules" "$dir/mods/lib/"; else mv "$dir/x/lib/modules" "$dir/mods/lib/"; fi
		rm -rf "$dir/x"
		depmod -b "$dir/mods" "$rel"
		echo "$rel" >"$dir/release"
	fi
	echo "$dir"
}

# kernel_initrd_modules MODS REL DEST NAME...: copy the named modules and what they need, uncompressed
kernel_initrd_modules()
{
	local mods=$1 rel=$2 dest=$3 path to; shift 3
	mkdir -p "$dest/lib/modules/$rel"
	cp "$mods/lib/modules/$rel"/modules.{order,builtin,builtin.modinfo} "$dest/lib/modules/$rel/"
	modprobe -d "$mods" -S "$rel" --show-depends -a "$@" 2>/dev/null | awk '$1 == "insmod" { print $2 }' | sort -u |
	while read -r path; do
		to=$dest/lib/modules/$rel/${path#*/lib/modules/"$rel"/}
		mkdir -p "${to%/*}"
		case $path in
		*.xz) xz -dc "$path" >"${to%.xz}" ;;
		*.zst) zstd -qdc "$path" >"${to%.zst}" ;;
		*) cp "$path" "$to" ;;
		esac
	done
	depmod -b "$dest" "$rel"
}
