# SPDX-License-Identifier: GPL-2.0
# The emulated TDX machine, with our TDX module. The host is mainline 7.3: 6.1 is none yet.
.PHONY: demo-tdx check-quote

demo-tdx: image ## run | 5 min | boot mainline 7.3 as a TDX host, and a TD; verify its quote (CPUS=1|2)
	@lab/programs runner
	@lab/programs guests
	@lab/kernel 7.3 lab
	lab/boot --platform tdx --kernel 7.3 --smp 2 --timeout 900 --out work/runs/demo-tdx --guests --job '/job/demo-guest tdx $(CPUS)'
	lab/attest/verify work/runs/demo-tdx/out/demo

# After 'demo-tdx'
check-quote: ## run | 1 min | verify the quote of that TD with Debian's go-tdx-guest
	@lab/go-tdx-guest work/runs/demo-tdx/out/demo
