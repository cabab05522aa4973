# SPDX-License-Identifier: GPL-2.0
# The one front end. Each target is a line or two; the work is in lab/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

include $(sort $(wildcard lab/*.mk))

.PHONY: help
help: ## print this
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile $(sort $(wildcard lab/*.mk))
