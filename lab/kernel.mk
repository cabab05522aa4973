# SPDX-License-Identifier: GPL-2.0
# Kernels and QEMU. K, CONFIG: see host.mk.
.PHONY: kernel configs deb deb-host qemu deps clean

deps: ## build | 2 min | install every package that the lab needs
	@lab/deps all

kernel: ## build | 20 min | build a kernel (K=ours|base|edit|7.3|6.12, CONFIG=lab|debug|kcsan|gdb)
	@lab/deps build
	@lab/kernel $(K) $(CONFIG)

configs: ## build | an hour | build other configurations of the series, and boot built-in, small and i386 (C='names', K=edit)
	@lab/deps build image qemu-run qemu-build
	@lab/configs $(if $(filter edit,$(K)),--kernel edit) $(C)

deb: ## build | hours | installable packages with our series (FULL=1: drivers of desktops, too)
	@lab/deps build deb
	@lab/deb

deb-host: deb ## build | 10 min | install the packages in a bare Debian 12, and boot that as an SNP host
	@lab/deps build qemu-run qemu-build deb-host
	@lab/qemu
	@lab/deb-host

qemu: ## build | 25 min | build the emulator with our series: work/build/qemu/qemu-system-x86_64
	@lab/deps build qemu-build
	@lab/qemu

clean: ## build | 1 s | remove builds, runs and logs; keep composed trees, the image, downloads and the compiler cache
	rm -rf work/build work/runs work/logs work/series work/series-qemu
