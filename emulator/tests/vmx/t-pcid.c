/*
 * VMX tests: process-context identifiers and INVPCID
 *
 * Intel SDM: "Process-Context Identifiers (PCIDs)", "INVPCID", "MOV to CR3",
 * and the control "enable INVPCID".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define CR4_PCIDE       BIT(17)
#define CR3_KEEP        BIT(63)
#define PROC_INVLPG     BIT(9)
#define PROC2_INVPCID   BIT(12)
#define X_INVPCID       58

enum { ADDRESS, CONTEXT, ALL, ALL_NON_GLOBAL };

static u8 PAGE_ALIGNED pages[2 * 4096];

static int write_cr3(u64 val)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("mov %0, %%cr3") : : "r"(val) : "memory");
    return trap()->vec;
}

static int try_cr4(u64 val)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("mov %0, %%cr4") : : "r"(val) : "memory");
    return trap()->vec;
}

static int invpcid(u64 type, u64 pcid, u64 addr)
{
    u64 desc[2] = { pcid, addr };

    trap()->vec = NO_TRAP;
    asm volatile(EX("invpcid %0, %1") : : "m"(desc), "r"(type) : "memory");
    return trap()->vec;
}

static void test_cr(void)
{
    u64 cr3 = read_cr3(), cr4 = read_cr4();

    check_eq(write_cr3(cr3 | CR3_KEEP), GP, "bit 63 of CR3 without PCIDs");
    check_eq(write_cr3(cr3 | 0x18), NO_TRAP, "PWT and PCD of CR3");
    check_eq(try_cr4(cr4 | CR4_PCIDE), GP, "CR4.PCIDE, CR3 is not aligned");
    check_eq(read_cr4(), cr4, "CR4 is as it was");
    check_eq(write_cr3(cr3), NO_TRAP, "CR3");
    check_eq(try_cr4(cr4 | CR4_PCIDE), NO_TRAP, "CR4.PCIDE");
    check_eq(write_cr3(cr3 | 0xabc), NO_TRAP, "a PCID");
    check_eq(read_cr3(), cr3 | 0xabc, "is read");
    check_eq(write_cr3(cr3 | 0xabd | CR3_KEEP), NO_TRAP, "translations stay");
    check_eq(read_cr3(), cr3 | 0xabd, "bit 63 is not stored");
    check_eq(write_cr3(cr3 | BIT(62)), GP, "bit 62 is reserved");
    check_eq(write_cr3(cr3), NO_TRAP, "PCID 0");
}

static void test_operands(void)
{
    static const struct {
        u64 type, pcid, addr;
        bool bad, bad_without;
    } operands[] = {
        { ADDRESS, 0, 0x1000, false, false },
        { ADDRESS, 0xfff, 0x1000, false, true },
        { ADDRESS, 0, BIT(47), true, true },
        { ADDRESS, 0x1000, 0, true, true },
        { CONTEXT, 0, BIT(47), false, false },
        { CONTEXT, 1, 0, false, true },
        { CONTEXT, BIT(63), 0, true, true },
        { ALL, 1, BIT(47), false, false },
        { ALL, 0x1000, 0, true, true },
        { ALL_NON_GLOBAL, 1, BIT(47), false, false },
        { ALL_NON_GLOBAL, 0x1000, 0, true, true },
        { 4, 0, 0, true, true },
        { BIT(32), 0, 0, true, true },
    };
    u64 cr4 = read_cr4();
    int i;

    for (i = 0; i < ARRAY_SIZE(operands); i++) {
        check_eq(invpcid(operands[i].type, operands[i].pcid, operands[i].addr),
                 operands[i].bad ? GP : NO_TRAP, "INVPCID, operand %d", i);
    }
    write_cr4(cr4 & ~CR4_PCIDE);
    for (i = 0; i < ARRAY_SIZE(operands); i++) {
        check_eq(invpcid(operands[i].type, operands[i].pcid, operands[i].addr),
                 operands[i].bad_without ? GP : NO_TRAP,
                 "INVPCID without PCIDs, operand %d", i);
    }
    write_cr4(cr4);
}

static void user_invpcid(void)
{
    static u64 desc[2];

    asm volatile(EX("invpcid %0, %1") : : "m"(desc), "r"(2ULL) : "memory");
}

/* Each type drops the translation of an address that has been read. */
static void test_flush(void)
{
    u64 first = (u64)pages, second = first + PAGE;
    mem64 *pte = host_pte(first);
    u64 mine = *pte, other = *host_pte(second), type;

    wr(first, 1);
    wr(second, 2);
    for (type = ADDRESS; type <= ALL_NON_GLOBAL; type++) {
        check_eq(rd(first), 1, "type %d: the page", (int)type);
        *pte = other;
        check_eq(invpcid(type, read_cr3() & 0xfff, first), NO_TRAP,
                 "type %d", (int)type);
        check_eq(rd(first), 2, "type %d: another page", (int)type);
        *pte = mine;
        flush_tlb();
    }
    *pte = other;
    write_cr4(read_cr4() & ~CR4_PCIDE);
    check_eq(rd(first), 2, "clearing CR4.PCIDE: another page");
    write_cr4(read_cr4() | CR4_PCIDE);
    *pte = mine;
    flush_tlb();
    run_user(user_invpcid);
    check_eq(trap()->vec, GP, "INVPCID at CPL 3");
}

static mem32 seen[2];
static u64 g_desc[2];

static void g_invpcid(void)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("invpcid 8(%0), %1") : : "b"((u64)g_desc - 8), "d"(2ULL)
                 : "memory");
    seen[0] = trap()->vec;
    asm volatile("vmcall");
}

static void test_guest(void)
{
    vmx_on();
    vm_init(g_invpcid);
    vm_exits_late(X_VMCALL, "a guest without the control");
    check_eq(seen[0], UD, "INVPCID is undefined there");
    vm_init(g_invpcid);
    vm_controls(0, 0, PROC2_INVPCID);
    vm_exits_late(X_VMCALL, "a guest with the control");
    check_eq((int)seen[0], NO_TRAP, "INVPCID in a guest");
    vm_init(g_invpcid);
    vm_controls(0, PROC_INVLPG, PROC2_INVPCID);
    vm_exits_late(X_INVPCID, "INVPCID that exits");
    check_eq(vget(F_QUAL), 8, "the displacement");
    /* RDX; RBX without index, DS, 64 bits */
    check_eq(vget(F_INFO) & ~0x7fULL, 2 << 28 | 3 << 23 | BIT(22) | 3 << 15 |
             2 << 7, "the operands");
    vm_skip();
    vm_exits_late(X_VMCALL, "the guest goes on");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}

void test_main(void)
{
    u32 r[4];

    cpuid(1, r);
    check(r[2] & BIT(17), "CPUID reports PCIDs");
    cpuid(7, r);
    check(r[1] & BIT(10), "CPUID reports INVPCID");
    test_cr();
    test_operands();
    test_flush();
    test_guest();
}
