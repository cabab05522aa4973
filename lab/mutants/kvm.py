# SPDX-License-Identifier: GPL-2.0
"""Mutants of KVM. Only KVM's modules are built for each, from work/edit/linux, which is left as it was.

One host runs them one after the other: it puts the mutant's modules in the place of KVM's, so that modprobe finds them, and
runs the row of the tables of tests. Where it dies, the mutant has been noticed, and another host goes on. Before all of
them the tests have to pass without a mutant.
"""

import os
import shutil
import subprocess
import sys

import lists
import table

BUILD = os.path.join(lists.WORK, "build", "edit-lab")
PAYLOAD = os.path.join(lists.WORK, "build", "kvm-mutants")
RUNNER = os.path.join(lists.WORK, "build", "runner")
MODULES = ("kvm.ko", "kvm-amd.ko")
# Without a mutant: what the tests have to pass with
SANE = "none-"
NOT_LOADED = 250
BATCH = 16

# In the host: each line of the list is NAME|TIMEOUT|FLAGS|COMMAND; says 'mutant NAME begins' and 'mutant NAME EXIT-CODE'.
JOB = r"""
. /job/env; . /job/close-test
export PATH=$PATH:/job ours=/payload/selftests-ours
# The mutant is what modprobe finds, for rows that load KVM again, too.
swap() { modprobe -r kvm_amd; cp $1/*.ko "/lib/modules/$(uname -r)/kernel/arch/x86/kvm/" && modprobe kvm_amd && ls /dev/kvm; }
while IFS='|' read -r name limit flags command; do
	echo "mutant $name begins"
	rc=250
	if swap /payload/kvm-mutants/$name >/tmp/load 2>&1; then
		dmesg -C
		timeout -k 5 $limit bash -c "$command" >/tmp/log 2>&1 </dev/null
		rc=$?
		grep '^not ok' /tmp/log | head -n 3
		found=$(left "$flags" "$(close_test)")
		[ $rc != 0 ] || [ -z "$found" ] || { echo "$found" | head -n 3; rc=252; }
		if dmesg | grep -E 'WARNING:|BUG:|Oops|list_(add|del) corruption|Bad page'; then rc=251; fi
	fi
	echo "mutant $name $rc"
	# What it leaves behind is not the next one's fault.
	rmpaudit >/dev/null 2>&1 && modprobe -r kvm_amd || exit 0
done </job/list
"""


def build(name):
    """KVM's modules of the tree as it stands, as those of NAME. False if they don't build."""
    env = dict(os.environ, WORK=lists.WORK)
    command = ["bash", "-c", f". {lists.LAB}/lib/kconfig.sh; exec \"${{KMAKE[@]}}\" -C {lists.TREE} O={BUILD}/obj "
               "LOCALVERSION=-edit -j2 modules"]
    with open(os.path.join(lists.WORK, "logs", "kvm-mutants.log"), "a", encoding="utf-8") as log:
        log.write(f"== {name}\n")
        log.flush()
        if subprocess.run(command, env=env, stdout=log, stderr=log, check=False).returncode:
            return False
    os.makedirs(os.path.join(PAYLOAD, name), exist_ok=True)
    for module in MODULES:
        subprocess.run(["strip", "-g", "-o", os.path.join(PAYLOAD, name, module),
                        os.path.join(BUILD, "obj", "arch", "x86", "kvm", module)], check=True)
    return True


def unusable(mutant, built):
    """Why there are no modules of it, or None."""
    if built:
        return None if os.path.isdir(os.path.join(PAYLOAD, mutant.name)) else "was not built"
    try:
        with lists.applied(lists.TREE, mutant):
            return None if build(mutant.name) else "does not build"
    except lists.Stale as stale:
        return str(stale)


def boot(todo):
    """Run what is to do on one platform in one host; yields (name, exit code), None as code if the host died of it."""
    platform = todo[0][1].platform
    todo = [(name, row) for name, row in todo if row.platform == platform]
    out = os.path.join(lists.WORK, "runs", "kvm-mutants")
    names = os.path.join(PAYLOAD, "list")
    with open(names, "w", encoding="utf-8") as file:
        file.writelines(f"{name}|{row.timeout}|{row.flags}|{row.command}\n" for name, row in todo)
    limit = sum(row.timeout for _, row in todo[:12]) + 120
    command = [os.path.join(lists.LAB, "boot"), "--kernel", "edit", *table.PLATFORMS[platform], "--guests",
               "--payload", os.path.join(lists.WORK, "build", "selftests-ours"), "--payload", PAYLOAD,
               "--file", names, "--file", os.path.join(RUNNER, "close-test"), "--file", os.path.join(RUNNER, "sweep"),
               "--timeout", str(limit), "--out", out, "--job", JOB]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with open(os.path.join(out, "job.log"), encoding="utf-8", errors="replace") as file:
        lines = [line.split() for line in file if line.startswith("mutant ")]
    begun = None
    for line in lines:
        if line[2] == "begins":
            begun = line[1]
        else:
            yield line[1], int(line[2])
            begun = None
    if begun or not lines:
        yield begun or todo[0][0], None


def result(name, code):
    """What the exit code of a mutant's test says, or that of a test without a mutant."""
    text = "the host died" if code is None else "not loaded" if code == NOT_LOADED else f"exit code {code}"
    return lists.Result(name, code not in (0, NOT_LOADED), text)


def without_mutant(tests):
    """The unchanged modules under a name for each test: (name, row)."""
    for name, _ in tests:
        shutil.copytree(os.path.join(PAYLOAD, "none"), os.path.join(PAYLOAD, name), dirs_exist_ok=True)
    return tests


def run(todo):
    """The results of (name, row), those without a mutant only if they fail."""
    while todo:
        for name, code in boot(todo):
            todo = [entry for entry in todo if entry[0] != name]
            if not name.startswith(SANE):
                yield result(name, code)
            elif code != 0:
                yield lists.Result(name, False, "fails without a mutant: " + result(name, code).text)


def mutants(patterns, built=None):
    """BATCH at a time, so that a run that is stopped has had results."""
    if not os.path.isfile(os.path.join(BUILD, "obj", "vmlinux")):
        sys.exit("lab/mutate: the modules need their kernel, run 'lab/kernel edit lab' first")
    if not built:
        shutil.rmtree(PAYLOAD, ignore_errors=True)
        os.makedirs(PAYLOAD)
        if not build("none"):
            sys.exit("the modules don't build without a mutant")
    rows = {row.name: row for row in table.all_rows()}
    left = sorted(lists.read(os.path.join(lists.HERE, "kvm.list"), patterns),
                  key=lambda mutant: (rows[mutant.test].platform, mutant.test))
    sane = set()
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        todo = []
        for mutant in batch:
            why = unusable(mutant, built)
            if why:
                yield lists.Result(mutant.name, False, why)
            else:
                todo.append((mutant.name, rows[mutant.test]))
        tests = sorted({row.name for _, row in todo} - sane)
        sane.update(tests)
        yield from run(without_mutant([(SANE + test.replace("/", "-"), rows[test]) for test in tests]) + todo)
