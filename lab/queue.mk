# SPDX-License-Identifier: GPL-2.0
# The patch queue. TREE=linux (the kernel series) or TREE=qemu (the emulator's).
TREE ?= linux
QUEUE = lab/queue --tree $(TREE)

.PHONY: compose edit save refresh status lint layers series bisect rebase test-queue

compose: ## series | 1 min | base + overlay + patches as a branch in work/linux (TREE=qemu: work/qemu)
	@$(QUEUE) compose

edit: ## series | 1 min | a worktree of the composed branch to commit in: work/edit/linux (TREE=qemu: work/edit/qemu)
	@$(QUEUE) edit

save: ## series | 1 min | write that worktree back to overlay and patches
	@$(QUEUE) save

refresh: ## series | 1 min | compose, then save: update stored line numbers
	@$(QUEUE) refresh

status: ## series | 1 s | what is stored, composed, edited and not saved
	@$(QUEUE) status

lint: ## series | 5 min | check both queues: files, claims, changelogs, words, checkpatch
	@lab/deps build
	@lab/queue --tree linux lint
	@lab/mutate check
	@if [ -s emulator/patches/series ]; then lab/queue --tree qemu lint; fi

layers: ## series | 10 s | which object calls which, and circles, in the kernel that is built (patches/layers)
	@lab/queue layers

series: ## series | 2 min | the mailable series in work/series, checked with git am (CHAPTER=name, SENDER='Name <address>')
	@$(QUEUE) series $(if $(CHAPTER),--chapter '$(CHAPTER)') $(if $(SENDER),--sender '$(SENDER)')

bisect: ## series | hours | build and boot every patch on its own; repeats only what is new (QUICK=1: compile only; RECORD=1: note what was done)
	@lab/deps build
	@$(QUEUE) bisect $(if $(QUICK),--quick) $(if $(RECORD),--record)

rebase: ## series | 5 min | move to another base package (V=version, or the newest)
	@$(QUEUE) rebase $(or $(V),newest)

test-queue: ## series | 1 min | unit tests of the queue tool, and of what the lab notes
	@cd lab && python3 -m unittest discover -s queuelib/tests -t .
	@python3 -m unittest discover -s lab/lib/tests
