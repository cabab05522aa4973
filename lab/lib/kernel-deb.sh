# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A packaged kernel as host, Debian's or one of lab/deb. Source lib/debs.sh first.

# kernel_deb PACKAGE[/SUITE] or FILE.deb: unpack it, print the directory with bzImage and mods/
kernel_deb()
{
	local pkg=${1%%/*} suite=${1#*/} dep ver dir
	case $1 in *.deb) kernel_deb_file "$1"; return ;; esac
	[ "$suite" != "$1" ] || suite=
	debs_setup
	dep=$(debs_depends "$pkg${suite:+/$suite}")
	pkg=${dep:-$pkg}
	ver=$(debs_suite_version "$pkg" "$suite")
	[ -n "$ver" ] || die "no package '$pkg' in any suite"
	dir=$WORK/kernels/${pkg}_${ver//[:~]/.}
	[ -f "$dir/release" ] || kernel_deb_unpack "$pkg" "$ver" "$dir"
	echo "$dir"
}

# kernel_deb_release FILE: print the release of the kernel in a package
kernel_deb_release()
{
	local pkg
	[ -f "$1" ] || die "no file '$1'"
	pkg=$(dpkg-deb -f "$1" Package) || die "'$1' is no Debian package"
	case $pkg in linux-image-*) echo "${pkg#linux-image-}" ;; *) die "$pkg has no kernel: linux-image-... has one" ;; esac
}

# kernel_deb_file FILE: the same as kernel_deb for a package that is here; unpacked again when it is a newer one
kernel_deb_file()
{
	local rel dir
	rel=$(kernel_deb_release "$1")
	dir=$WORK/kernels/$(basename "$1" .deb)
	if [ "$dir/release" -ot "$1" ]; then
		step "kernel $rel of $(basename "$1")"
		rm -rf "$dir"; mkdir -p "$dir/x"
		dpkg-deb -x "$1" "$dir/x"
		kernel_deb_take "$dir" "$rel"
	fi
	echo "$dir"
}

# kernel_deb_unpack PACKAGE VERSION DIR; since 7.x Debian has image and modules in packages of their own
kernel_deb_unpack()
{
	local pkg=$1 ver=$2 dir=$3 rel=${1#linux-image-} part file
	step "stock kernel $pkg $ver"
	rm -rf "$dir"; mkdir -p "$dir/x"
	for part in "$pkg" "linux-base-$rel" "linux-binary-$rel" "linux-modules-$rel"; do
		[ "$part" = "$pkg" ] || [ -n "$(debs_suite_version "$part" '')" ] || continue
		file=$(debs_file "$part" "$ver")
		[ -f "$file" ] || debs_download "$part=$ver" || die "cannot download $part $ver"
		dpkg-deb -x "$file" "$dir/x"
	done
	kernel_deb_take "$dir" "$rel"
}

# kernel_deb_take DIR RELEASE: kernel and modules out of what was unpacked into DIR/x
kernel_deb_take()
{
	mkdir -p "$1/mods/lib"
	mv "$(find "$1/x" -type f -name 'vmlinuz*' | head -n1)" "$1/bzImage"
	mv "$(find "$1/x" -type d -path '*lib/modules' | head -n1)" "$1/mods/lib/"
	rm -rf "$1/x"
	depmod -b "$1/mods" "$2"
	echo "$2" >"$1/release"
}

# kernel_initrd_modules MODS REL DEST NAME...: copy the named modules and what they need, uncompressed
kernel_initrd_modules()
{
	local mods=$1 rel=$2 dest=$3 path to; shift 3
	mkdir -p "$dest/lib/modules/$rel"
	cp "$mods/lib/modules/$rel"/modules.{order,builtin,builtin.modinfo} "$dest/lib/modules/$rel/"
	{ modprobe -d "$mods" -S "$rel" --show-depends -a "$@" 2>/dev/null || true; } | awk '$1 == "insmod" { print $2 }' | sort -u |
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

# What an initramfs of lab/host/guests/guest loads, in any of the kernels that it is made for
GUEST_MODULES=(virtio_pci virtio_blk virtio_net vmw_vsock_virtio_transport virtio_balloon virtio_mem configfs tsm tsm_report sev-guest tdx-guest
	gcm ctr ghash-generic aes_generic seqiv aesni-intel ghash-clmulni-intel)

# cpio_of DIR: an archive of it that depends on nothing but what is in the files
cpio_of()
{
	find "$1" -exec touch -h -d @0 {} +
	(cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible --quiet)
}

# guest_kernel MODS REL VMLINUZ NAME DEST: what lab/host/guests/guest boots, into DEST: vmlinuz, modules.cpio, package
guest_kernel()
{
	mkdir -p "$5"
	rm -rf "$5/tree"
	kernel_initrd_modules "$1" "$2" "$5/tree" "${GUEST_MODULES[@]}"
	cpio_of "$5/tree" >"$5/modules.cpio"
	rm -rf "$5/tree"
	cp "$3" "$5/vmlinuz"
	echo "$4" >"$5/package"
}
