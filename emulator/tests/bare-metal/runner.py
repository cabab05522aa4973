# SPDX-License-Identifier: GPL-2.0-or-later
"""Run bare-metal programs in QEMU, and give their results one numbering"""

import argparse
import collections
import os
import re
import subprocess
import sys

TIMEOUT = 180
PASSED = 1          # isa-debug-exit: (0 << 1) | 1

# The emulated machine of a program. check(out), if there is one, looks at the
# program's output and returns pairs: what it has checked, and whether it holds.
# With reboots, a reset starts the program again instead of being its end.
Machine = collections.namedtuple('Machine',
                                 'cpu cpus memory devices check reboots',
                                 defaults=(1, '1G', (), None, False))


def parser():
    """The options that all runners have."""
    options = argparse.ArgumentParser()
    options.add_argument('--qemu', default='qemu-system-x86_64')
    options.add_argument('--dir', default='.', help='where the programs are')
    options.add_argument('--build', action='store_true',
                         help='make the programs first')
    options.add_argument('--bios', action='append', default=[],
                         help='further -L for QEMU')
    options.add_argument('--rounds', type=int, metavar='N',
                         help='of programs that have them: t-sync, t-psp')
    options.add_argument('--timeout', type=int, default=TIMEOUT)
    options.add_argument('--mutants', metavar='RULES',
                         help='disable each rule in this file')
    options.add_argument('--only', action='append', metavar='RULE',
                         help='of the mutants only this one')
    options.add_argument('programs', nargs='*')
    return options


def programs(args, source):
    """The programs that are asked for, or all; made before with --build."""
    if args.build:
        os.makedirs(args.dir, exist_ok=True)
        subprocess.run(['make', '-s', '-C', args.dir, '-f',
                        os.path.join(source, 'Makefile')],
                       stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)
    return args.programs or sorted(
        f[:-4] for f in os.listdir(args.dir)
        if f.startswith('t-') and f.endswith('.elf'))


def boot(args, program, machine):
    """The program's output, and what is wrong with its end, or None."""
    cmd = [args.qemu, '-machine', 'q35', '-accel', 'tcg', '-cpu', machine.cpu,
           '-smp', str(machine.cpus), '-m', machine.memory,
           '-nodefaults', '-display', 'none', '-serial', 'stdio',
           '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
           '-kernel', os.path.join(args.dir, program + '.elf'),
           *machine.devices]
    if not machine.reboots:
        cmd += ['-no-reboot']
    if args.rounds:
        cmd += ['-append', f'rounds={args.rounds}']
    for path in args.bios:
        cmd += ['-L', path]
    try:
        done = subprocess.run(cmd, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=args.timeout,
                              check=False)
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b'').decode(errors='replace'), 'timeout'
    out = done.stdout.decode(errors='replace')
    lines = re.findall(r'^(?:not )?ok ', out, re.M)
    plan = re.search(r'^1\.\.(\d+)$', out, re.M)
    if not plan or int(plan[1]) != len(lines):
        return out + done.stderr.decode(errors='replace'), 'no end'
    if done.returncode != PASSED or re.search(r'^not ok', out, re.M):
        return out, 'failed'
    return out, None


def run_all(args, runs):
    """
    TAP of all runs, one after the other. A run is (name, program, machine),
    or (name, reason, None) if it has to be skipped.
    """
    number = failures = 0
    for name, program, machine in runs:
        if machine is None:
            number += 1
            print(f'ok {number} {name} # SKIP {program}')
            continue
        out, error = boot(args, program, machine)
        for line in out.splitlines():
            m = re.match(r'(ok|not ok) \d+ - (.*)', line)
            if m:
                number += 1
                failures += m[1] == 'not ok'
                print(f'{m[1]} {number} {name}: {m[2]}')
            elif line.startswith('#') or (error and line.strip()
                                          and not line.startswith('1..')):
                print('# ' + line.lstrip('# '))
        for what, good in machine.check(out) if machine.check else ():
            number += 1
            failures += not good
            print(f"{'ok' if good else 'not ok'} {number} {name}: {what}")
        if error and (error != 'failed' or 'Bail out!' in out):
            number += 1
            failures += 1
            print(f'not ok {number} {name}: {error}')
    print(f'1..{number}')
    return failures != 0 or number == 0


def sound(args, runs):
    """
    The runs that pass with all rules: only their failure shows that a rule is
    missed. Prints the others.
    """
    good = []
    for run in runs:
        error = boot(args, run[1], run[2])[1]
        if error:
            print(f'{"UNSOUND":8} {run[0]}: {error}, with all rules',
                  flush=True)
        else:
            good.append(run)
    return good


def killer(args, runs, option, rule):
    """
    What sees that the rule is disabled: ('killed', run, the first check that
    fails), ('died', run, why) if a run has another end, twice, and no check
    fails in any, or ('SURVIVED', '', ''). Twice, because a run that is too slow
    has that end, too.
    """
    again = []
    for round_runs in runs, again:
        for name, program, machine in round_runs:
            cpu = f'{machine.cpu},{option}={rule}'
            out, error = boot(args, program, machine._replace(cpu=cpu))
            m = re.search(r'^not ok \d+ - (.*)', out, re.M)
            if m:
                return 'killed', name, m[1]
            if error and round_runs is again:
                return 'died', name, error
            if error:
                again.append((name, program, machine))
    return 'SURVIVED', '', ''


def run_mutants(args, runs, option, elsewhere=(), dies=()):
    """
    Disable each rule in the file args.mutants. @elsewhere has what tests the
    rules that none of @runs can miss, @dies the rules without which a program
    cannot go on to a check. The run that has missed the last rule is the first
    to try the next one: neighbours have the same test.
    """
    with open(args.mutants, encoding='utf-8') as f:
        rules = re.findall(r'^\w+_RULE\(\w+, "([\w-]+)"', f.read(), re.M)
    good = sound(args, runs)
    bad = len(good) != len(runs)
    count = collections.Counter()
    for rule in rules:
        if args.only and rule not in args.only:
            continue
        if rule in elsewhere:
            print(f'{"skipped":8} {rule:22} {elsewhere[rule]}')
            continue
        verdict, name, what = killer(args, good, option, rule)
        good.sort(key=lambda run: run[0] != name)
        count[verdict] += 1
        bad |= verdict == 'SURVIVED' or (verdict == 'died' and
                                         rule not in dies)
        print(f'{verdict:8} {rule:22} {name}: {what}', flush=True)
    print(f'{count["killed"]} killed, {count["died"]} died, '
          f'{count["SURVIVED"]} survived')
    return bad
