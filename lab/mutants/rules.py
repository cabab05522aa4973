# SPDX-License-Identifier: GPL-2.0
"""Rules of the emulated machine: a test of the kernel has to fail without each, where one can see it."""

import os
import re
import subprocess
import sys

import lists
import table

NAMES = os.path.join(lists.WORK, "qemu", "include", "hw", "i386", "amd-snp-rules.h.inc")


def prepare():
    for command in (["qemu"], ["image"], ["kernel", "ours", "lab"], ["selftests", "ours"], ["programs", "runner"],
                    ["programs", "guests"]):
        subprocess.run([os.path.join(lists.LAB, command[0]), *command[1:]], stdout=sys.stderr, check=True)


def passes(rule, command):
    """Does the command pass in a host without the rule, or with all rules?"""
    # Without PAT /dev/mem lets rmpuser map RAM.
    options = ["--kernel", "ours", "--platform", "snp", "--smp", "2", "--qmp", "--guests", "--append", "nopat",
               "--payload", os.path.join(lists.WORK, "build", "selftests-ours"),
               "--file", os.path.join(lists.WORK, "build", "runner", "kunit"), "--timeout", "300",
               "--out", os.path.join(lists.WORK, "runs", "rule-" + (rule or "none")),
               "--job", "export PATH=$PATH:/job ours=/payload/selftests-ours; " + command]
    if rule:
        options += ["--cpu", "EPYC-Milan,x-snp=on,x-snp-ignore=" + rule]
    return subprocess.run([os.path.join(lists.LAB, "boot"), *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def read():
    """(rule, command or None, reason) of each line of the list, which has to have the emulator's rules."""
    path = os.path.join(lists.HERE, "rules.list")
    rules = []
    for _, (rule, command) in table.fields(path, 2):
        unseen = re.match(r"- *\|(.*)", command)
        rules.append((rule, None if unseen else command, unseen.group(1).strip() if unseen else ""))
    with open(NAMES, encoding="utf-8") as file:
        wanted = re.findall(r'^SNP_RULE\(.*"(.*)"', file.read(), flags=re.M)
    if differ := set(wanted) ^ {rule for rule, _, _ in rules}:
        table.fail(f"lab/mutants/rules.list is not the emulator's list: {' '.join(sorted(differ))}")
    return rules


def mutants(patterns):
    prepare()
    sane = set()
    for rule, command, reason in read():
        if not lists.wanted(rule, patterns):
            continue
        if command is None:
            yield lists.Result(rule, None, "not visible: " + reason)
            continue
        if command not in sane and not passes(None, command):
            yield lists.Result(rule, False, f"'{command}' fails with all rules")
            continue
        sane.add(command)
        killed = not passes(rule, command)
        yield lists.Result(rule, killed, f"{'killed by' if killed else 'survives'} {command}")
