/*
 * VMX tests: calls of a TDX module that are printed with their results
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "script.h"

#define NR_FIELDS       4000

const char *stage;

/* Registers that calls return something in */
static const struct {
    int reg;
    const char *name;
} outs[] = {
    { RCX, "rcx" }, { RDX, "rdx" }, { R8, "r8" }, { R9, "r9" }, { R10, "r10" },
    { R11, "r11" }, { R12, "r12" }, { R13, "r13" }, { R14, "r14" },
    { R15, "r15" }, { RBX, "rbx" }, { RSI, "rsi" }, { RDI, "rdi" },
    { RBP, "rbp" },
};

static void print_result(const struct td_regs *r, const struct td_regs *before)
{
    int i;

    printf(" = %lx", r->r[RAX]);
    for (i = 0; i < sizeof(outs) / sizeof(outs[0]); i++) {
        int reg = outs[i].reg;

        if (r->r[reg] != before->r[reg]) {
            printf(" %s=%lx", outs[i].name, r->r[reg]);
        }
    }
    printf("\n");
}

static u64 call_regs(struct td_regs *r)
{
    struct td_regs before;
    int i;

    for (i = R10; i <= R15; i++) {
        r->r[i] = 0xc0de00 + i;
    }
    r->r[RBX] = r->r[RSI] = r->r[RDI] = r->r[RBP] = 0xc0de77;
    before = *r;
    seam_regs(r);
    printf("> %s: %lx %lx %lx %lx %lx", stage, before.r[RAX], before.r[RCX],
           before.r[RDX], before.r[R8], before.r[R9]);
    print_result(r, &before);
    return r->r[RAX];
}

u64 call(u64 leaf, u64 cx, u64 dx, u64 r8, u64 r9)
{
    struct td_regs r = {
        .r = { [RAX] = leaf, [RCX] = cx, [RDX] = dx, [R8] = r8, [R9] = r9 },
    };

    return call_regs(&r);
}

/* The module says with which field to go on; it begins with none. */
int call_fields(u64 leaf, u64 cx)
{
    struct td_regs r = { .r = { [RDX] = NO_FIELD } };
    int i;

    for (i = 0; i < NR_FIELDS; i++) {
        u64 id = r.r[RDX];

        r.r[RAX] = leaf;
        r.r[RCX] = cx;
        r.r[R8] = r.r[R9] = 0;
        call_regs(&r);
        if ((r.r[RAX] & BIT(63)) || r.r[RDX] == id || r.r[RDX] == NO_FIELD) {
            break;
        }
    }
    return i;
}
