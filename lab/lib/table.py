# SPDX-License-Identifier: GPL-2.0
"""The tables of tests, and other tables of the lab: fields that '|' separates."""

import collections
import fnmatch
import glob
import os
import re
import sys

TABLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests")

PLATFORMS = {
    "epyc": ["--cpu", "EPYC", "--smp", "2", "--mem", "4G"],
    "epyc4": ["--cpu", "EPYC", "--smp", "4", "--mem", "4G"],
    "epyc-big": ["--cpu", "EPYC", "--smp", "2", "--mem", "10G"],
    "iommu": ["--platform", "iommu", "--smp", "2"],
    "snp": ["--platform", "snp", "--smp", "2"],
    "snp-host": ["--platform", "snp", "--smp", "2", "--qmp"],
    "snp-big": ["--platform", "snp", "--smp", "2", "--qmp", "--mem", "11G"],
    "snp-rmpread": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-rmpread=on"],
    "snp-stale": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-stale-lines=on",
                  "--append", "init_on_alloc=0"],
    "snp-avic": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-avic=on"],
    "snp-avic-write": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu",
                       "EPYC-Milan,x-snp=on,x-snp-avic=on,x-snp-inuse-write=on"],
    "snp-tsc-aux": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-tsc-aux=on"],
    "snp-edges": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-rmp-edges=on"],
    "snp-part": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-rmp-memory=4G"],
    "snp-contended": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-ignore=rmp-idle"],
    "snp-vgif": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,vgif=on"],
    "snp-lpj": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "lpj=10000"],
    "snp-nosnp": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "sev=nosnp"],
    "snp-host-1": ["--platform", "snp", "--smp", "1", "--qmp"],
    "snp-movable": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "kernelcore=1G"],
    "snp-nopat": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "nopat"],
    "snp-nointremap": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "nointremap"],
    "snp-iommu-off": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "amd_iommu=off"],
    "snp-pt": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "iommu=pt"],
    "vmx": ["--platform", "vmx", "--smp", "2"],
    "vmx-4": ["--platform", "vmx", "--smp", "4"],
    "tdx": ["--platform", "tdx", "--smp", "2"],
    "tdx-4": ["--platform", "tdx", "--smp", "4"],
    "tdx-erratum": ["--platform", "tdx-erratum", "--smp", "2"],
    "tdx-loader": ["--platform", "tdx-loader", "--smp", "2"],
    "snp-maxcpus": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "maxcpus=1"],
}
GROUPS = ("quick", "long", "snp", "snp-host", "vmx", "tdx", "open")

# What a row may need: selftests of a tree, with the variable that names them in the host, and other things (lab/tests/README)
TREES = {"ours": "ours", "base": "base", "7.3": "selftests73", "6.12": "selftests612"}
THINGS = ("guests", "attacker", "bench", "snphost", "tdx-update")
GUEST_KERNEL = "kernel:"

# Begins the command of a row NAME/* that stands for copies of the rows with these names
COPIES = "= "

Row = collections.namedtuple("Row", "name kernel platform group flags timeout needs command")


def fail(text):
    print(f"[test] error: {text}", file=sys.stderr)
    sys.exit(2)


def fields(path, count):
    """The number and the fields of each line but comments."""
    with open(path, encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = [part.strip() for part in line.rstrip("\n").split("|", count - 1)]
            if len(parts) != count:
                fail(f"{path}:{number}: {count} fields wanted, {len(parts)} found")
            yield number, parts


def needs_of(text, command, where):
    """The needs of a row. What its command uses has to be among them, as far as that can be seen."""
    needs = [] if text == "-" else text.split()
    for need in needs:
        if need not in TREES and need not in THINGS and not need.startswith(GUEST_KERNEL):
            fail(f"{where}: '{need}' is nothing that a row can need")
    used = [tree for tree, variable in TREES.items() if re.search(rf"\$\{{?{variable}\b", command)]
    used += [GUEST_KERNEL + name for name in re.findall(r"GUEST_KERNEL=(\S+)", command)]
    for need in used:
        if need not in needs:
            fail(f"{where}: the command uses '{need}', which is not in its needs")
    return needs


def read_rows(path):
    """The rows of a table of tests, checked."""
    rows = []
    for number, (name, kernel, platform, group, timeout, needs, command) in fields(path, 7):
        group, _, flags = group.partition(",")
        where = f"{path}:{number}"
        copies = command.startswith(COPIES) and name.endswith("/*")
        if group not in GROUPS or platform not in PLATFORMS or not (timeout.isdigit() or copies and timeout == "-"):
            fail(f"{where}: unknown group, platform or timeout")
        if copies:
            timeout = 0
        rows.append(Row(name, kernel, platform, group, flags, int(timeout), needs_of(needs, command, where), command))
    return rows


def expand(rows):
    """For a row that stands for copies of others, on another platform: these."""
    for row in rows:
        if not row.command.startswith(COPIES):
            yield row
            continue
        patterns = row.command.removeprefix(COPIES).split()
        found = [other for other in rows if other.group == "quick" and other.kernel == row.kernel and
                 any(fnmatch.fnmatch(other.name, pattern) for pattern in patterns)]
        if not found:
            fail(f"{row.name}: no row is like '{' '.join(patterns)}'")
        for other in found:
            yield other._replace(name=row.name[:-1] + other.name.replace("/", "-"), platform=row.platform, group=row.group)


def all_rows(path=None):
    """The rows of all tables, or of one."""
    paths = [path] if path else sorted(glob.glob(os.path.join(TABLES, "*.table")))
    rows = list(expand([row for path in paths for row in read_rows(path)]))
    for name, count in collections.Counter(row.name for row in rows).items():
        if count > 1:
            fail(f"{TABLES}: {count} tests '{name}'")
    return rows
