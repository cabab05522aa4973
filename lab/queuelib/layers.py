# SPDX-License-Identifier: GPL-2.0
"""Which object may call which: the symbols of built objects against patches/layers.

Judged are objects that the series adds. What a call goes to is found by the names of global
symbols, functions and data alike; names that no object of the table defines are the kernel's.
Calls that the table allows by name are callbacks, and no part of a circle.
"""

import fnmatch
import os
import subprocess
from collections import defaultdict, namedtuple

from . import model
from .ui import QueueError

Layer = namedtuple("Layer", "name objects whole may")
FUNCTIONS_AND_DATA = frozenset("TDBRVWGSC")


# ---------------------------------------------------------------- the table

def read_table(path):
    """[Layer] of 'name | objects | may call', from the top down; a '+' makes base files part of circles."""
    layers = []
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [f.strip() for f in line.split("|")]
        if len(fields) != 3 or not fields[0] or not fields[1]:
            raise QueueError(f"{path.name}: line {number} is not 'name | objects | may call'")
        may = [tuple((word + ":*").split(":")[:2]) for word in fields[2].split()]
        layers.append(Layer(fields[0].rstrip(" +"), fields[1].split(), fields[0].endswith("+"), may))
    names = [layer.name for layer in layers]
    for layer in layers:
        for name, _ in layer.may:
            if name not in names:
                raise QueueError(f"{path.name}: layer '{layer.name}' may call '{name}', which is no layer")
    return layers


def layer_of(layers, obj):
    """The first layer with a pattern that the object matches; a '*' does not match a '/'."""
    for layer in layers:
        for pattern in layer.objects:
            if pattern.count("/") == obj.count("/") and fnmatch.fnmatchcase(obj, pattern):
                return layer
    return None


# ---------------------------------------------------------------- the objects

def find_objects(layers, tree, source):
    """The objects of all layers that are there and that a source file is there for."""
    found = []
    for folder in sorted({os.path.dirname(p) for layer in layers for p in layer.objects}):
        for name in sorted(os.listdir(tree / folder)) if (tree / folder).is_dir() else []:
            stem, ext = os.path.splitext(f"{folder}/{name}")
            if ext == ".o" and layer_of(layers, stem + ext) and \
                    any((source / (stem + kind)).is_file() for kind in (".c", ".S")):
                found.append(stem + ext)
    return found


def read_symbols(tree, objects):
    """({object: what it lacks}, {symbol: the object that has it}) from one nm."""
    out = subprocess.run(["nm", "-A", *objects], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, check=False).stdout
    lacks, has = defaultdict(set), {}
    for line in out.splitlines():
        obj, _, rest = line.partition(":")
        kind, name = rest.split()[-2:]
        if kind == "U":
            lacks[obj].add(name)
        elif kind in FUNCTIONS_AND_DATA:
            has[name] = obj
    return lacks, has


def calls_of(lacks, has):
    """{caller: {callee: names}}."""
    calls = defaultdict(lambda: defaultdict(set))
    for obj, names in lacks.items():
        for name in names:
            if has.get(name, obj) != obj:
                calls[obj][has[name]].add(name)
    return calls


# ---------------------------------------------------------------- what is wrong

def circles(nodes, calls):
    """Sets of two and more objects that reach each other, each sorted (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(calls.get(node, ())):
            if other not in nodes:
                continue
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(nodes):
        if node not in index:
            visit(node)
    return found


def without_callbacks(layers, calls):
    """The calls without those that the table allows by name."""
    left = defaultdict(lambda: defaultdict(set))
    for obj, callees in calls.items():
        may = layer_of(layers, obj).may
        for callee, names in callees.items():
            globs = [glob for name, glob in may if name == layer_of(layers, callee).name and glob != "*"]
            stay = {n for n in names if not any(fnmatch.fnmatchcase(n, glob) for glob in globs)}
            if stay:
                left[obj][callee] = stay
    return left


def judge(layers, ours, lacks, has):
    """[(where, text)] of calls that the table does not allow, and of circles."""
    calls = calls_of(lacks, has)
    found = []
    for obj in sorted(ours):
        layer = layer_of(layers, obj)
        for callee, names in sorted(calls.get(obj, {}).items()):
            to = layer_of(layers, callee)
            bad = sorted(n for n in names if to is not layer and
                         not any(name == to.name and fnmatch.fnmatchcase(n, glob) for name, glob in layer.may))
            if bad:
                found.append((obj, f"{layer.name} must not call {to.name}: {', '.join(bad)} of {callee}"))
    objects = set(lacks) | set(has.values())
    nodes = {obj for obj in objects if obj in ours or layer_of(layers, obj).whole}
    calls = without_callbacks(layers, calls)
    for circle in circles(nodes, calls):
        if ours & set(circle):
            edges = [f"{a} -> {b} ({sorted(calls[a][b])[0]})" for a in circle for b in circle if b in calls.get(a, {})]
            found.append((circle[0], f"a circle of {len(circle)} objects: {'; '.join(edges)}"))
    return found


# ---------------------------------------------------------------- the verb

def built_objects(layout, commit):
    """The object tree of the kernel that is built of this commit, or None."""
    out = layout.work / "build" / "ours-lab"
    stamp = out / "stamp"
    if stamp.is_file() and (stamp.read_text().split() or [""])[0] == commit:
        return out / "obj"
    return None


def check(layout, tree):
    """([(where, text)], number of our objects, number of all)."""
    layers = read_table(layout.patches / "layers")
    objects = find_objects(layers, tree, layout.composed)
    claims = model.load(layout).claims
    ours = {obj for obj in objects if f"{obj[:-2]}.c" in claims or f"{obj[:-2]}.S" in claims}
    lacks, has = read_symbols(tree, objects)
    return judge(layers, ours, lacks, has), len(ours), len(objects)


def layers(layout, steps, tree):
    """Check a tree of objects, by default that of the kernel 'ours', built of whatever state. The exit code."""
    tree = tree or layout.work / "build" / "ours-lab" / "obj"
    if not (tree / "vmlinux").is_file() and not (tree / "arch").is_dir():
        raise QueueError(f"{tree}: no objects there, run 'make kernel' first")
    found, ours, total = check(layout, tree)
    for where, text in found:
        print(f"{where}: {text}")
    steps.say(f"layers: {len(found)} findings in {ours} objects of ours, of {total}")
    return 1 if found else 0
