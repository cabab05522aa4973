# SPDX-License-Identifier: GPL-2.0
# Kernels and QEMU. K, CONFIG: see host.mk.
.PHONY: kernel configs deb deb-host qemu deps clean

deps: ## install every package that the lab needs
	@lab/deps all

kernel: ## build a kernel (K=ours|base|edit|7.3|6.12, CONFIG=lab|debug|kcsan|gdb)
	@lab/deps build
	@lab/kernel $(K) $(CONFIG)

configs: ## build the series in other configurations, without SEV, ..., and boot built-in, small and i386 (C='names', K=edit)
	@lab/deps build image qemu-run qemu-build
	@lab/configs $(if $(filter edit,$(K)),--kernel edit) $(C)

deb: ## installable packages of Debian's configuration with our series (takes hours; FULL=1: a desktop's drivers, too)
	@lab/deps build deb
	@lab/deb

deb-host: deb ## install the packages in a bare Debian 12, and boot that as an SNP host
	@lab/deps build qemu-run qemu-build deb-host
	@lab/qemu
	@lab/deb-host

qemu: ## build the emulator with our series: work/build/qemu/qemu-system-x86_64
	@lab/deps build qemu-build
	@lab/qemu

clean: ## remove what was built; keep downloads and the compiler cache
	rm -rf work/build work/runs work/logs work/series work/series-qemu
