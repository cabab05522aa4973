# SPDX-License-Identifier: GPL-2.0
"""Where things are: one Layout for the kernel, one for the emulator."""

import configparser
from dataclasses import dataclass
from pathlib import Path

from .ui import QueueError

KERNEL_DIRS = (
    "arch", "block", "certs", "crypto", "Documentation", "drivers", "fs",
    "include", "init", "io_uring", "ipc", "kernel", "lib", "mm", "net", "rust",
    "samples", "scripts", "security", "sound", "tools", "usr", "virt",
)


@dataclass
class Layout:
    """The paths of one tree. 'dirs' are the overlay's top directories, None: all."""
    tree: str
    root: Path
    overlay: Path
    dirs: tuple = None
    reserved: tuple = ()

    @property
    def patches(self):
        return self.overlay / "patches"

    @property
    def work(self):
        return self.root / "work"

    @property
    def composed(self):
        return self.work / self.tree

    @property
    def edit(self):
        return self.work / "edit" / self.tree

    @property
    def state_dir(self):
        return self.work / "queue"

    @property
    def series_out(self):
        return self.work / ("series" if self.tree == "linux" else f"series-{self.tree}")

    @property
    def branch(self):
        return "kvm-coco"

    def in_overlay(self, path):
        """Whether an added file of this name may live in the overlay."""
        top = path.split("/", 1)[0]
        if top in self.reserved or ".." in path.split("/") or path.startswith("/"):
            return False
        return self.dirs is None or (top in self.dirs and "/" in path)

    def overlay_files(self):
        """Every file now in the overlay, as paths relative to it, sorted."""
        tops = self.dirs
        if tops is None:
            tops = [p.name for p in self.overlay.iterdir()] if self.overlay.is_dir() else []
        found = []
        for top in tops:
            if top in self.reserved:
                continue
            start = self.overlay / top
            if start.is_file() or start.is_symlink():
                found.append(top)
            for path in start.rglob("*") if start.is_dir() else []:
                junk = "__pycache__" in path.parts or path.name.endswith(("~", ".orig", ".rej"))
                if (path.is_file() or path.is_symlink()) and not junk:
                    found.append(path.relative_to(self.overlay).as_posix())
        return sorted(found)

    def settings(self):
        """patches/queue.conf, or an error that names it."""
        path = self.patches / "queue.conf"
        parser = configparser.ConfigParser(interpolation=None)
        if not path.is_file() or not parser.read(path) or "queue" not in parser:
            raise QueueError(f"{path.relative_to(self.root)}: missing, or without [queue]")
        return parser["queue"]


def layout_for(tree, root):
    root = Path(root)
    if tree == "linux":
        return Layout("linux", root, root, KERNEL_DIRS)
    if tree == "qemu":
        return Layout("qemu", root, root / "emulator", None, ("patches",))
    raise QueueError(f"no tree '{tree}': it is linux or qemu")
