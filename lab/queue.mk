# SPDX-License-Identifier: GPL-2.0
# The patch queue. TREE=linux (the kernel series) or TREE=qemu (the emulator's).
TREE ?= linux
QUEUE = lab/queue --tree $(TREE)

.PHONY: compose edit save refresh status lint series bisect rebase test-queue

compose: ## base + overlay + patches as a branch in work/linux (TREE=qemu: work/qemu)
	@$(QUEUE) compose

edit: ## a worktree of the composed branch to commit in: work/edit/linux
	@$(QUEUE) edit

save: ## write that worktree back to overlay and patches
	@$(QUEUE) save

refresh: ## compose, then save: bring stored line numbers up to date
	@$(QUEUE) refresh

status: ## what is stored, composed, edited and not saved
	@$(QUEUE) status

lint: ## check both queues: files, claims, changelogs, checkpatch
	@lab/deps build
	@lab/queue --tree linux lint
	@if [ -s emulator/patches/series ]; then lab/queue --tree qemu lint; fi

series: ## the mailable series in work/series, proven with git am (CHAPTER=name, SENDER='Name <address>')
	@$(QUEUE) series $(if $(CHAPTER),--chapter '$(CHAPTER)') $(if $(SENDER),--sender '$(SENDER)')

bisect: ## build and boot every patch on its own; a second call does what is new (QUICK=1: compile only)
	@lab/deps build
	@$(QUEUE) bisect $(if $(QUICK),--quick)

rebase: ## move to another base package (V=version, or the newest)
	@$(QUEUE) rebase $(or $(V),newest)

test-queue: ## unit tests of the queue tool
	@cd lab && python3 -m unittest discover -s queuelib/tests -t .
