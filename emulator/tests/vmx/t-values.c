/*
 * VMX tests: values that no processor takes
 *
 * An instruction that loads a register of the system with an address that is
 * not canonical, or with a type that is reserved, is #GP. Otherwise a guest
 * could have what a VM entry rejects.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define BAD_ADDR    BIT(62)
#define CR4_FSGSBASE BIT(16)
/* A TSS of boot_gdt that nothing uses */
#define TSS_ENTRY   6

static const u32 addresses[] = {
    0x175, 0x176, 0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102
};

static void test_msrs(void)
{
    static const u8 types[] = { 2, 3, 8, 0xff };
    u64 pat = rdmsr(0x277), old;
    int i;

    for (i = 0; i < ARRAY_SIZE(addresses); i++) {
        old = rdmsr(addresses[i]);
        check_eq(try_wrmsr(addresses[i], BAD_ADDR), GP,
                 "MSR %x: an address that is not canonical", addresses[i]);
        check_eq(rdmsr(addresses[i]), old, "MSR %x is as before", addresses[i]);
        check_eq(try_wrmsr(addresses[i], old), NO_TRAP, "MSR %x: a good one",
                 addresses[i]);
    }
    for (i = 0; i < ARRAY_SIZE(types); i++) {
        check_eq(try_wrmsr(0x277, (pat & ~0xff00ULL) | types[i] << 8), GP,
                 "IA32_PAT: type %x", types[i]);
    }
    check_eq(rdmsr(0x277), pat, "IA32_PAT is as before");
}

struct pointer {
    u16 limit;
    u64 base;
} __attribute__((packed));

static void test_tables(void)
{
    struct pointer old, bad = { 0xff, BAD_ADDR }, now;

    asm volatile("sgdt %0" : "=m"(old));
    check_eq(TRAP("lgdt %0", "m"(bad)), GP, "LGDT");
    asm volatile("sgdt %0" : "=m"(now));
    check(now.base == old.base && now.limit == old.limit,
          "the GDT is as before");
    asm volatile("sidt %0" : "=m"(old));
    check_eq(TRAP("lidt %0", "m"(bad)), GP, "LIDT");
    asm volatile("sidt %0" : "=m"(now));
    check(now.base == old.base && now.limit == old.limit,
          "the IDT is as before");
}

/* A descriptor of 16 bytes */
static int set_entry(u64 low, u64 high)
{
    boot_gdt[TSS_ENTRY] = low;
    boot_gdt[TSS_ENTRY + 1] = high;
    return TSS_ENTRY * 8;
}

/* Return the vector of LTR and LLDT with this descriptor. */
static int load_tss(u64 low, u64 high)
{
    return TRAP("ltr %w0", "r"(set_entry(low, high)));
}

static int load_ldt(u64 low, u64 high)
{
    return TRAP("lldt %w0", "r"(set_entry(low, high)));
}

static void test_tss(void)
{
    u64 low = boot_gdt[TSS_ENTRY] & ~BIT(41), high = boot_gdt[TSS_ENTRY + 1];

    check_eq(TRAP("ltr %w0", "r"(0)), GP, "LTR with a null selector");
    check_eq(load_tss((low & ~(15ULL << 40)) | 1ULL << 40, high), GP,
             "LTR with a TSS of 16 bits");
    check_eq(load_tss(low, BAD_ADDR >> 32), GP,
             "LTR with a base that is not canonical");
    check_eq(load_tss(low, high | 1ULL << 40), GP,
             "LTR with a type in its upper half");
    check_eq(load_tss(low, high), NO_TRAP, "LTR");
}

static void test_ldt(void)
{
    u64 tss = boot_gdt[TSS_ENTRY], tss_high = boot_gdt[TSS_ENTRY + 1];
    u64 low = 0xff | BIT(47) | 2ULL << 40;

    check_eq(load_ldt(low, BAD_ADDR >> 32), GP,
             "LLDT with a base that is not canonical");
    check_eq(load_ldt(low, 1ULL << 40), GP,
             "LLDT with a type in its upper half");
    check_eq(load_ldt(low, 0), NO_TRAP, "LLDT");
    check_eq(TRAP("lldt %w0", "r"(0)), NO_TRAP, "LLDT with a null selector");
    set_entry(tss, tss_high);
}

/* What long mode needs, and does not have in 64-bit code */
static void test_long_mode(void)
{
    u64 efer = rdmsr(MSR_EFER);

    check_eq(TRAP("mov %0, %%cr0", "r"(read_cr0() & ~BIT(31))), GP,
             "CR0.PG is cleared in 64-bit code");
    check_eq(TRAP("mov %0, %%cr4", "r"(read_cr4() & ~BIT(5))), GP,
             "CR4.PAE is cleared in long mode");
    check_eq(try_wrmsr(MSR_EFER, efer & ~BIT(8)), GP,
             "EFER.LME is cleared with paging");
    check_eq(rdmsr(MSR_EFER), efer, "EFER is as before");
}

static void test_bases(void)
{
    write_cr4(read_cr4() | CR4_FSGSBASE);
    check_eq(TRAP("wrfsbase %0", "r"(BAD_ADDR)), GP, "WRFSBASE");
    check_eq(TRAP("wrgsbase %0", "r"(BAD_ADDR)), GP, "WRGSBASE");
    check_eq(TRAP("wrfsbase %0", "r"(0x1000ULL)), NO_TRAP, "WRFSBASE: good");
    check_eq(rdmsr(0xc0000100), 0x1000, "FS.base");
}

void test_main(void)
{
    test_msrs();
    test_tables();
    test_tss();
    test_ldt();
    test_long_mode();
    check_round_trip();
    test_bases();
}
