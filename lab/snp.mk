# SPDX-License-Identifier: GPL-2.0
# The emulated SEV-SNP machine. H: the host's kernel, ours, 6.12 or 7.x; CPUS of the guest.
H ?= 6.12
CPUS ?= 1
SNP_HOST_ours = ours
SNP_HOST_6.12 = deb:linux-image-amd64/trixie
SNP_HOST_7.x = deb:linux-image-amd64/trixie-backports
.PHONY: demo-snp run-snp check-attest

demo-snp: image ## run | 1 min | boot an SNP host and an SNP guest, verify the attestation report (H=6.12|7.x|ours, CPUS=1..4)
	@lab/programs runner
	@lab/programs guests
	$(if $(filter ours,$(H)),@lab/kernel ours lab)
	lab/boot --platform snp --kernel $(SNP_HOST_$(H)) --timeout 700 --out work/runs/demo-snp --guests --job '/job/demo-guest snp $(CPUS)'
	lab/attest/verify work/runs/demo-snp/out/demo

# After 'demo', with which it's 'run'.
run-snp: demo
	@$(MAKE) --no-print-directory demo-snp H=ours

.PHONY: side-by-side
side-by-side: deps-lab ## run | 5 min | compare the same SNP guest on stock 6.12, 7.x and ours: measurement, devices, memory (CPUS=1|2|4)
	@lab/test --name side-by-side --test $(foreach h,6.12 7.x ours,snp-$(h)/snp-$(CPUS))

check-attest: ## test | 20 s | unit tests of the verifier of attestation reports and quotes, and of the quoting service
	@for name in attest td quote qgs; do python3 lab/attest/tests/test_$$name.py || exit; done

.PHONY: test-emulator mutants mutants-vmx
test-emulator: deps-lab ## test | 10 min | test the emulated machines by themselves: processors, firmware, IOMMU (RACES=N: only races, N rounds; SANITIZE=address|thread)
	@lab/test-emulator $(if $(RACES),--races $(RACES)) $(if $(SANITIZE),--sanitize $(SANITIZE))

mutants: deps-lab ## test | 30 min | disable each rule of the emulated machine: a test has to fail
	@lab/test-emulator --mutants
mutants-vmx: deps-lab ## test | 15 min | the same for the rules of VMX
	@lab/test-emulator --mutants-vmx

.PHONY: test-kut
test-kut: deps-lab ## test | 30 min | kvm-unit-tests' vmx.flat on the emulator: KUT=DIR, where it is built (T='STANZA/TEST' or pattern; else writes docs/vmx-tests.md)
	@lab/qemu
	@lab/kut $(if $(T),,--write) '$(KUT)' $(foreach t,$(T),'$(t)')

.PHONY: check-qemu
check-qemu: deps-lab ## test | an hour | QEMU's own 'make check' on the emulator (T='name or pattern', BASE=1: without the series)
	@lab/deps check-qemu
	@lab/check-qemu $(if $(BASE),--base) $(foreach t,$(T),'$(t)')

.PHONY: test-kexec mutants-kernel mutants-kvm mutants-rules
test-kexec: image ## test | 10 min | a second kernel on the SNP host: via kexec, and for kdump after a panic
	lab/kernel ours lab
	lab/test-kexec ours

mutants-kernel: image ## test | 30 min | after 'make edit', remove each check of lab/mutants/kernel.list: a test has to fail
	lab/mutate kernel $(NOTED) $(MUTANTS)

mutants-kvm: image ## test | an hour | after 'make edit', remove each check of lab/mutants/kvm.list: a test has to fail
	lab/kernel edit lab
	lab/selftests ours
	lab/programs runner
	lab/programs guests
	lab/mutate kvm $(NOTED) $(MUTANTS)

mutants-rules: image ## test | 10 min | disable each rule of the emulated machine that the kernel can detect: a kernel test has to fail
	lab/mutate rules $(RULES)
