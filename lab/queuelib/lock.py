# SPDX-License-Identifier: GPL-2.0
"""One writer at a time: builds compose too, while someone saves."""

import contextlib
import fcntl

_held = {}


@contextlib.contextmanager
def exclusive(layout):
    """Hold the tree's lock; may be taken again by the holder."""
    key = str(layout.state_dir / layout.tree)
    if key in _held:
        yield
        return
    layout.state_dir.mkdir(parents=True, exist_ok=True)
    with open(f"{key}.lock", "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _held[key] = file
        try:
            yield
        finally:
            del _held[key]
