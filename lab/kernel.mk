# SPDX-License-Identifier: GPL-2.0
# Kernels and QEMU. K, CONFIG: see host.mk.
.PHONY: kernel deb qemu deps clean

deps: ## install every package that the lab needs
	@lab/deps all

kernel: ## build a kernel (K=ours|base|edit|7.3|6.12, CONFIG=lab|debug|gdb)
	@lab/deps build
	@lab/kernel $(K) $(CONFIG)

deb: ## installable packages: Debian's own configuration, our series (takes hours)
	@lab/deps build deb
	@lab/deb

qemu: ## build the emulator with our series: work/build/qemu/qemu-system-x86_64
	@lab/deps build qemu-build
	@lab/qemu

clean: ## remove what was built; keep downloads and the compiler cache
	rm -rf work/build work/runs work/logs work/series work/series-qemu
