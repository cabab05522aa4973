# SPDX-License-Identifier: GPL-2.0
"""The base: a source package, unpacked and committed once, always to the same id."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import lock
from .gitcmd import Git
from .ui import QueueError

IDENT = ("kvm-coco base", "base@kvm-coco.example")


def read_lock(layout):
    """The lines of patches/base.lock: [(name, package, version, suite, sha256)]."""
    path = layout.patches / "base.lock"
    name = path.relative_to(layout.root)
    if not path.is_file():
        raise QueueError(f"{name}: missing")
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fields = line.split("#", 1)[0].split()
        if fields and len(fields) != 5:
            raise QueueError(f"{name}: line {number} is not 'name package version suite sha256'")
        if fields:
            entries.append(tuple(fields))
    if not entries:
        raise QueueError(f"{name}: names no package")
    return entries


def fetch(layout, name, version=None):
    """Have lab/fetch bring one locked file; its path."""
    cmd = [str(layout.root / "lab" / "fetch"), name] + ([version] if version else [])
    done = subprocess.run(cmd, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise QueueError(f"lab/fetch {name} failed")
    return Path(done.stdout.decode().strip().splitlines()[-1])


def fetch_newest(layout, name):
    """The newest version that the lock's suite has."""
    done = subprocess.run([str(layout.root / "lab" / "fetch"), "--newest", name],
                          stdout=subprocess.PIPE, check=False)
    if done.returncode or not done.stdout.strip():
        raise QueueError(f"lab/fetch --newest {name} failed")
    return done.stdout.decode().strip()


def _run(cmd, cwd=None):
    done = subprocess.run([str(c) for c in cmd], cwd=cwd, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip().splitlines()
        raise QueueError(f"{cmd[0]} failed: {text[-1] if text else 'no message'}")


def unpack_deb(deb, into):
    """A linux-source package: a tarball in a .deb. Its only directory becomes 'into'."""
    into = Path(into)
    temp = into.with_name(into.name + ".unpack")
    shutil.rmtree(temp, ignore_errors=True)
    temp.mkdir(parents=True)
    _run(["dpkg-deb", "-x", deb, temp])
    tars = list(temp.glob("usr/src/linux-source-*.tar.xz"))
    if len(tars) != 1:
        raise QueueError(f"{Path(deb).name}: has no kernel tarball")
    tree = temp / "tree"
    tree.mkdir()
    _run(["tar", "-xf", tars[0], "-C", tree, "--strip-components=1", "--no-same-owner"])
    shutil.rmtree(into, ignore_errors=True)
    tree.rename(into)
    shutil.rmtree(temp)


def unpack_source(dsc, into):
    """A Debian source package with Debian's patches applied, without debian/ itself."""
    into = Path(into)
    shutil.rmtree(into, ignore_errors=True)
    into.parent.mkdir(parents=True, exist_ok=True)
    _run(["dpkg-source", "--no-check", "--no-copy", "-x", dsc, into])
    for name in ("debian", ".pc"):
        shutil.rmtree(into / name, ignore_errors=True)


def normalise(tree):
    """Drop the lines of the kernel tarball's .gitignore that ignore everything."""
    path = Path(tree) / ".gitignore"
    if not path.is_file():
        return
    text = path.read_text()
    text = re.sub(r"(?m)^(#.*\n)*/\*\n!/debian/\n", "", text)
    path.write_text(text.rstrip("\n") + "\n")


def unpack(layout, entries, into):
    """Unpack the base; the version that came, which the archive may have replaced."""
    if layout.tree == "linux":
        deb = fetch(layout, entries[0][0], entries[0][2])
        unpack_deb(deb, into)
        normalise(into)
        return deb.name.split("_")[1].replace("%3a", ":")
    files = [fetch(layout, name, version) for name, _, version, _, _ in entries]
    dsc = [f for f in files if f.name.endswith(".dsc")]
    if len(dsc) != 1:
        raise QueueError("emulator/patches/base.lock: has no .dsc")
    unpack_source(dsc[0], into)
    epoch = entries[0][2].rpartition(":")
    return f"{epoch[0]}{epoch[1]}{dsc[0].stem.split('_')[1]}"


def describe(entries):
    return f"{entries[0][1].removeprefix('src:')} {entries[0][2]}"


def init_repo(directory):
    git = Git(directory)
    git.run("init", "-q", "-b", "kvm-coco")
    name, mail = IDENT
    for key, value in (("core.compression", "1"), ("core.untrackedCache", "true"),
                       ("index.version", "4"), ("gc.auto", "0"), ("core.autocrlf", "false"),
                       ("core.fileMode", "true"), ("commit.gpgSign", "false"),
                       ("user.name", name), ("user.email", mail)):
        git.run("config", key, value)
    return git


def is_wanted(git, entries):
    """Whether the tag 'base' is on the locked version, or on what replaces it."""
    message = git.out("log", "-1", "--format=%B", "base")
    return message.startswith(f"{describe(entries)}\n") or \
        f"\nIn place of {entries[0][2]}, " in message


def commit_base(git, entries, came, work_tree=None):
    """Commit the unpacked tree as it stands. Same package, same commit id."""
    env = {}
    if work_tree:
        env = {"GIT_WORK_TREE": str(work_tree), "GIT_DIR": f"{git.dir}/.git",
               "GIT_INDEX_FILE": f"{git.dir}/.git/index.base"}
    git.run("add", "-A", "-f", ".", env=env)
    tree = git.out("write-tree", env=env)
    title = describe([(*entries[0][:2], came, *entries[0][3:])])
    message = f"{title}\n\nThe base, as Debian ships it.\n"
    if came != entries[0][2]:
        message += f"In place of {entries[0][2]}, which the archive no longer has.\n"
    name, mail = IDENT
    return git.commit_tree(tree, None, message, name, mail, "@0 +0000")


def ensure(layout, steps):
    """The composed tree's repository, with the tag 'base' on the locked version."""
    entries = read_lock(layout)
    git = Git(layout.composed)
    want = describe(entries)
    if (layout.composed / ".git").is_dir() and git.commit_of("base"):
        if is_wanted(git, entries):
            set_identity(layout, git)
            return git
        with steps.step(f"replace the base by {want}"):
            tag_base(git, import_version(layout, git, entries))
        return git
    layout.work.mkdir(exist_ok=True)
    temp = layout.work / f"{layout.tree}.new"
    with steps.step(f"unpack {want}"):
        came = unpack(layout, entries, temp)
    with steps.step("commit the base"):
        shutil.rmtree(layout.composed, ignore_errors=True)
        fresh = init_repo(temp)
        commit = commit_base(fresh, entries, came)
        tag_base(fresh, commit)
        fresh.run("update-ref", f"refs/heads/{layout.branch}", commit)
        fresh.run("worktree", "prune")
        temp.rename(layout.composed)
        git.run("status", "--porcelain")
    set_identity(layout, git)
    return git


def import_version(layout, git, entries):
    """Another base version as a commit in the same repository; its id."""
    temp = layout.work / f"{layout.tree}.new"
    came = unpack(layout, entries, temp)
    commit = commit_base(git, entries, came, temp)
    shutil.rmtree(temp)
    return commit


def tag_base(git, commit):
    git.run("update-ref", "refs/tags/base", commit)


def set_identity(layout, git):
    """Commits made in an edit carry the project's name unless git says otherwise."""
    try:
        ident = layout.settings().get("identity", "")
    except QueueError as err:
        print(err, file=sys.stderr)
        return
    match = re.match(r"(.+) <(.+)>$", ident)
    if match:
        git.run("config", "user.name", match[1])
        git.run("config", "user.email", match[2])


def plain_tree(layout, steps):
    """A checkout of the plain base, for builds of it."""
    with lock.exclusive(layout):
        return _plain_tree(layout, steps)


def _plain_tree(layout, steps):
    git = ensure(layout, steps)
    path = layout.work / "src" / f"{layout.tree}-base"
    base = git.commit_of("base")
    if not (path / ".git").exists():
        git.run("worktree", "prune")
        with steps.step(f"check out the base in {path.relative_to(layout.root)}"):
            git.run("worktree", "add", "-q", "--detach", path, base)
    elif Git(path).commit_of("HEAD") != base:
        Git(path).run("checkout", "-q", "--detach", base)
    return path
