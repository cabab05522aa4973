# SPDX-License-Identifier: GPL-2.0
"""git with every setting fixed that could make its output depend on the user."""

import os
import subprocess

from .ui import QueueError

_FIXED = {
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.eol": "lf",
    "core.fileMode": "true",
    "core.symlinks": "true",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.quotePath": "true",
    "core.whitespace": "",
    "core.abbrev": "12",
    "core.fsync": "none",
    "apply.whitespace": "nowarn",
    "apply.ignoreWhitespace": "no",
    "commit.gpgSign": "false",
    "commit.cleanup": "verbatim",
    "tag.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "i18n.commitEncoding": "UTF-8",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "advice.detachedHead": "false",
    "rerere.enabled": "false",
    "merge.renames": "false",
    "merge.conflictStyle": "merge",
}

DIFF_OPTIONS = [
    "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
    "--no-relative", "--diff-algorithm=histogram", "--indent-heuristic",
    "-U3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/",
    "--ignore-submodules=none",
]


def clean_env(extra=None):
    """The environment without anything of git's own, plus what is fixed."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull,
               GIT_CONFIG_NOSYSTEM="1", GIT_ATTR_NOSYSTEM="1",
               GIT_TERMINAL_PROMPT="0", GIT_PAGER="cat", GIT_EDITOR="true",
               LC_ALL="C.UTF-8", TZ="UTC")
    env.update(extra or {})
    return env


class Git:
    """Runs git in one directory."""

    def __init__(self, directory):
        self.dir = str(directory)

    def run(self, *args, data=None, env=None, check=True):
        cmd = ["git"]
        for key, value in _FIXED.items():
            cmd += ["-c", f"{key}={value}"]
        cmd += ["-C", self.dir, *map(str, args)]
        if isinstance(data, str):
            data = data.encode()
        done = subprocess.run(cmd, input=data, env=clean_env(env),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        if check and done.returncode:
            text = done.stderr.decode(errors="replace").strip()
            first = text.splitlines()[0] if text else "no message"
            raise QueueError(f"git {args[0]} failed in {self.dir}: {first}")
        return done

    def raw(self, *args, **kw):
        return self.run(*args, **kw).stdout

    def out(self, *args, **kw):
        """Standard output as text, without the last newline."""
        return self.raw(*args, **kw).decode(errors="surrogateescape").rstrip("\n")

    def lines(self, *args, **kw):
        text = self.out(*args, **kw)
        return text.split("\n") if text else []

    def ok(self, *args, **kw):
        return self.run(*args, check=False, **kw).returncode == 0

    def commit_of(self, name):
        """The commit id of a name, or None."""
        done = self.run("rev-parse", "-q", "--verify", f"{name}^{{commit}}",
                        check=False)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def tree_of(self, name):
        return self.out("rev-parse", f"{name}^{{tree}}")

    def store_blob(self, content):
        return self.out("hash-object", "-w", "--stdin", data=content)

    def commit_tree(self, tree, parent, message, name, email, date):
        ident = {}
        for who in ("AUTHOR", "COMMITTER"):
            ident[f"GIT_{who}_NAME"] = name
            ident[f"GIT_{who}_EMAIL"] = email
            ident[f"GIT_{who}_DATE"] = date
        parents = ["-p", parent] if parent else []
        return self.out("commit-tree", tree, *parents, "-F", "-",
                        data=message, env=ident)
