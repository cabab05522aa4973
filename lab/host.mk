# SPDX-License-Identifier: GPL-2.0
# The host: image, booting, tests. K is the host kernel, CONFIG its configuration.
K ?= ours
CONFIG ?= lab
GROUP ?= quick
# Two of them keep two processors busy.
HOSTS ?= 2
PAYLOADS = --payload work/build/selftests-7.3
# What T=... says of rows
NAMED = --test $(foreach t,$(T),'$(t)')

# RECORD=1 notes in patches/tested which rows have passed or mutants were killed, DUE=1 leaves these out: what is long can be run in parts.
NOTED = $(if $(RECORD),--record) $(if $(DUE),--due)

# Debian 12's QEMU 7.2 will not do as the emulator: with several processors it may run a
# translation older than the code (stray int3 in the host), and up to 11.1 QEMU aborts when
# a nested guest writes CR8 with an interrupt pending. Ours has both fixed.
.PHONY: deps-lab image demo shell gdb peer test test-debug test-kcsan coverage compare bench

deps-lab:
	@lab/deps build image qemu-run qemu-build

run: demo $(if $(filter ours,$(K)),run-snp) ## run | 2 min | boot our kernel as a host, run a Debian guest, convert private memory, run an SNP guest (K=base|7.3: no SNP guest)
demo: image
	lab/kernel $(K) $(CONFIG)
	lab/selftests 7.3
	lab/boot --kernel $(K) --config $(CONFIG) $(PAYLOADS) --timeout 600 --out work/runs/demo --job lab/host/runner/demo

image: deps-lab ## build | 1 min | build the emulator and the host image (Debian userland, stock QEMU and OVMF)
	@lab/qemu
	@lab/image

shell: image ## run | 10 s | a shell in the host (K=kernel, CONFIG=lab|debug|kcsan)
	lab/kernel $(K) $(CONFIG)
	lab/selftests 7.3
	lab/boot --kernel $(K) --config $(CONFIG) $(PAYLOADS) --out work/runs/shell --shell

gdb: image ## run | 10 s | a shell in a host that gdb can attach to (port 1234)
	lab/kernel $(K) gdb
	lab/boot --kernel $(K) --config gdb --out work/runs/gdb --gdb

peer: deps-lab ## test | 10 min | mainline 7.3 as the host, with its own selftests for private memory
	lab/test --kernel 7.3 --test 'mainline/*'

test: deps-lab ## test | 15 min | run the tests (GROUP=quick|long|snp|snp-host|vmx|tdx, T='name or pattern'; RECORD=1: note what passed, DUE=1: only what did not)
	@lab/test --hosts $(HOSTS) --config $(CONFIG) $(NOTED) $(if $(T),$(NAMED),--group $(GROUP))

test-debug: deps-lab ## test | hours | groups quick, long, snp-host on the debug kernel: KASAN, lockdep, kmemleak, page poisoning (T='name or pattern')
	@lab/test --hosts $(HOSTS) --config debug $(NOTED) $(if $(T),$(NAMED),--group quick,long,snp-host)

# What has several tasks at the same memory: races, lifetimes, holes, models.
KCSAN_TESTS = private/* snp-ours/*race* snp-ours/lifetimes snp-ours/fuzz snp-ours/move snp-ours/memory snp-ours/*punch* snp-ours/*hole* snp-ours/*model*
test-kcsan: deps-lab ## test | hours | tests with concurrency on the kernel with KCSAN, which reports data races (T='name or pattern')
	@lab/test --config kcsan --test $(foreach t,$(or $(T),$(KCSAN_TESTS)),'$(t)') && rc=0 || rc=$$?; lab/races; exit $$rc

coverage: deps-lab ## test | hours | which lines of ours the tests run, and which not: work/logs/coverage/lines
	-@lab/test --config gcov --name coverage $(if $(T),$(NAMED),--group quick,snp-host,snp)
	lab/coverage work/logs/coverage

compare: deps-lab ## test | hours | run every KVM selftest on base, ours and mainline 7.3; writes docs/compare.md
	lab/compare

bench: image ## test | hours | count instructions, ours against mainline 7.3; writes docs/bench.md
	lab/bench
