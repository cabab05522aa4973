# SPDX-License-Identifier: GPL-2.0
"""The test table, and other tables of the lab: fields that '|' separates."""

import collections
import sys

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
    "snp-edges": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-rmp-edges=on"],
    "snp-part": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-rmp-memory=4G"],
    "snp-contended": ["--platform", "snp", "--smp", "2", "--qmp", "--cpu", "EPYC-Milan,x-snp=on,x-snp-ignore=rmp-idle"],
    "snp-nosnp": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "sev=nosnp"],
    "snp-nopat": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "nopat"],
    "snp-nointremap": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "nointremap"],
    "snp-iommu-off": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "amd_iommu=off"],
    "snp-pt": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "iommu=pt"],
    "vmx": ["--platform", "vmx", "--smp", "2"],
    "vmx-4": ["--platform", "vmx", "--smp", "4"],
    "snp-maxcpus": ["--platform", "snp", "--smp", "2", "--qmp", "--append", "maxcpus=1"],
}
GROUPS = ("quick", "long", "snp", "snp-host", "vmx", "open")

Row = collections.namedtuple("Row", "name kernel platform group flags timeout command")


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


def read_rows(path):
    """The rows of a test table, checked."""
    rows = []
    for number, (name, kernel, platform, group, timeout, command) in fields(path, 6):
        group, _, flags = group.partition(",")
        if group not in GROUPS or platform not in PLATFORMS or not timeout.isdigit():
            fail(f"{path}:{number}: unknown group, platform or timeout")
        if any(row.name == name for row in rows):
            fail(f"{path}:{number}: a second test '{name}'")
        rows.append(Row(name, kernel, platform, group, flags, int(timeout), command))
    return rows
