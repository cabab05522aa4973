# SPDX-License-Identifier: GPL-2.0
"""The patch queue: a base tree, an overlay of added files, and stored patches."""
