/*
 * VMX tests: a script of TDCALLs, and what a module answers
 *
 * It prints all calls with their results, as t-td-life.c does for SEAMCALLs.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define VERSION(n)  ((u64)(n) << 16)
#define SAY_CALL    0x200

#define BUF         ((u64)buffer)

static u64 PAGE_ALIGNED buffer[512];
static struct td script_td;

static const u64 tdg_calls[][5] = {
    { TDG_VP_INFO }, { TDG_VP_INFO | VERSION(1) }, { TDG_VP_INFO | BIT(24) },
    { TDG_VP_INFO | BIT(40) },
    { TDG_MR_RTMR_EXTEND, BUF, 0 }, { TDG_MR_RTMR_EXTEND, BUF + 1, 0 },
    { TDG_MR_RTMR_EXTEND, BUF, 4 }, { TDG_MR_RTMR_EXTEND, BUF, BIT(32) },
    { TDG_MR_RTMR_EXTEND, BIT(47), 0 },
    { TDG_MR_RTMR_EXTEND, BIT(52), 0 },
    { TDG_VP_VEINFO_GET }, { TDG_VP_VEINFO_GET, 1 },
    { TDG_MR_REPORT, BUF + 1, BUF, 0 }, { TDG_MR_REPORT, BUF, BUF + 1, 0 },
    { TDG_MR_REPORT, BUF, BUF, 1 }, { TDG_MR_REPORT, BIT(52), BUF, 0 },
    { TDG_MR_REPORT, BUF, BIT(52), 0 },
    { 5 /* CPUIDVE.SET */, 0 }, { 5, 4 }, { 5, 3 }, { 5, 0 },
    { TDG_MEM_PAGE_ACCEPT, 1ULL << 47 }, { TDG_MEM_PAGE_ACCEPT, BIT(52) },
    { TDG_MEM_PAGE_ACCEPT, 3 }, { TDG_MEM_PAGE_ACCEPT, BUF + 7 },
    { TDG_MEM_PAGE_ACCEPT, BUF + 8 }, { TDG_MEM_PAGE_ACCEPT, BUF + 1 },
    { TDG_MEM_PAGE_ACCEPT, BUF },
    { TDG_VM_RD, 0, 0x1110000300000016ULL },
    { TDG_VM_RD, 0, 0x1110000300000017ULL },
    { TDG_VM_RD, 0, 0x9100000000000010ULL }, { TDG_VM_RD, 1, 0 },
    { TDG_VM_RD, 0, 0x1110000300000000ULL },
    { TDG_VM_RD | VERSION(1), 0, ~0ULL },
    { TDG_VM_RD, 0, 0x8010000000000000ULL }, { TDG_VM_RD, 0, 5 },
    { TDG_VM_WR, 0, 0x1110000300000017ULL, 0, 0 },
    { TDG_VM_WR, 0, 0x1110000300000017ULL, 0, ~0ULL },
    { TDG_VM_WR, 0, 0x1110000300000017ULL, 2, 2 },
    { TDG_VM_WR, 0, 0x1110000300000000ULL, 1, 1 },
    { TDG_VM_WR, 1, 0, 0, 0 },
    { 9 /* VP.RD */, 0, 0x1120000300000100ULL },
    { 9, 0, 0x2020000000000000ULL },
    { 9, 0, 5 }, { 9, 1, 0 }, { 9 | VERSION(1), 0, ~0ULL },
    { 10 /* VP.WR */, 0, 0x2020000000000000ULL, 0, 0 }, { 10, 0, 5, 0, 0 },
    { 11 /* SYS.RD */, 0, ~0ULL }, { 11, 0, 0x0a00000300000008ULL },
    { 11, 0, 0x0800000200000000ULL }, { 11, 0, 5 },
    { 12 /* SYS.RDALL */, 0, BUF + 8, ~0ULL }, { 12, 0, BIT(47), ~0ULL },
    { TDG_MR_VERIFYREPORT, BUF + 1 }, { TDG_MR_VERIFYREPORT, BUF },
    { TDG_MR_VERIFYREPORT, BIT(52) },
    { TDG_MR_VERIFYREPORT, BIT(47) },
    { 13 }, { 14 }, { 15 }, { 16 }, { 17 }, { 18 }, { 19 }, { 20 }, { 21 },
    { 23, BUF }, { 23, BIT(47) }, { 24, BUF }, { 25 }, { 26 }, { 27 },
    { 28 }, { 60 }, { 0xffff },
    { 25 /* VP.ENTER */, 1ULL << 52, 0 },
    { TDG_VP_VMCALL | VERSION(1), 0 }, { TDG_VP_VMCALL, 1 },
    { TDG_VP_VMCALL, BIT(4) | BIT(10) }, { TDG_VP_VMCALL, BIT(48) },
};

static void tdg_script(u64 index)
{
    int i, j;

    for (i = 0; i < sizeof(tdg_calls) / sizeof(tdg_calls[0]); i++) {
        const u64 *c = tdg_calls[i];
        struct td_regs r = {
            .r = { [RAX] = c[0], [RCX] = c[1], [RDX] = c[2], [R8] = c[3],
                   [R9] = c[4] },
        }, say = { 0 };

        for (j = R10; j <= R15; j++) {
            r.r[j] = 0xc0de00 + j;
        }
        td_call(&r);
        say = (struct td_regs) {
            .r = { [RCX] = BIT(RDX) | BIT(RBX) | BIT(RSI) | BIT(RDI) | BIT(R8) |
                           BIT(R9) | BIT(R10) | BIT(R11) | BIT(R12) |
                           BIT(R13) | BIT(R14) | BIT(R15),
                   [RDX] = r.r[RDX], [RBX] = i, [RSI] = r.r[R12],
                   [RDI] = r.r[R13], [R8] = r.r[R8], [R9] = r.r[R9],
                   [R11] = SAY_CALL, [R12] = r.r[RAX], [R13] = r.r[RCX],
                   [R14] = r.r[R10], [R15] = r.r[R11] },
        };
        td_call(&say);
    }
    tdg_say(1, 0);
}

static void print_tdcall(const struct td_regs *r)
{
    u64 n = r->r[RBX];
    const u64 *c = tdg_calls[n];

    printf("> tdcall: %lx %lx %lx %lx %lx = %lx rcx=%lx rdx=%lx r8=%lx "
           "r9=%lx r10=%lx r11=%lx r12=%lx r13=%lx\n", c[0], c[1], c[2], c[3],
           c[4], r->r[R12], r->r[R13], r->r[RDX], r->r[R8], r->r[R9],
           r->r[R14], r->r[R15], r->r[RSI], r->r[RDI]);
}

static void test_tdcalls(void)
{
    int i;
    u64 ret;

    td_build(&script_td, 41, tdg_script, 0);
    for (i = 0; i < 500; i++) {
        struct td_regs *r = &script_td.r[0];

        ret = td_run(&script_td, 0);
        if (ret == X_TDCALL && r->r[R11] == SAY_CALL) {
            print_tdcall(r);
        } else if (ret == X_TDCALL && r->r[R11] == 1) {
            break;
        } else {
            printf("> exit: %lx rcx=%lx rdx=%lx r8=%lx r9=%lx r10=%lx r11=%lx "
                   "rbx=%lx\n", ret, r->r[RCX], r->r[RDX], r->r[R8], r->r[R9],
                   r->r[R10], r->r[R11], r->r[RBX]);
            if (ret >> 62) {
                break;
            }
        }
    }
    check(ret == X_TDCALL, "the TD gets to the end of its script");
    td_destroy(&script_td);
}

void test_main(void)
{
    td_module_start();
    test_tdcalls();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
