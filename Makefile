# SPDX-License-Identifier: GPL-2.0
# The one front end. Each target is a line or two; the work is in lab/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

include $(sort $(wildcard lab/*.mk))

# Each target has '## GROUP | TIME | TEXT'.
.PHONY: help
help: ## run | | print this
	@printf '%s\n' "Rough times for two cores, with everything built that is needed; for 'Build' from nothing."
	@for group in run:'Run a host or a guest' test:Test series:'Change the series' build:Build; do \
		printf '\n%s\n' "$${group#*:}"; \
		awk -F ' *[|] +' -v group="$${group%%:*}" 'match($$0, /^[a-z][a-z0-9-]*:.*## /) { \
			name = $$0; sub(/:.*/, "", name); $$0 = substr($$0, RLENGTH + 1); \
			if ($$1 == group) printf "  make %-15s %-8s %s\n", name, $$2, $$3 }' \
			Makefile $(sort $(wildcard lab/*.mk)); \
	done
