/*
 * VMX tests: key ids where an address is not memory for everybody
 *
 * SMRAM, and memory that is write-protected (PAM), of the q35 machine: a key id
 * in an address is no way around them. SMRAM is hidden by a graphics card.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define KEY(n)          ((u64)(n) << 46)
#define ALIAS           0x10200000ULL   /* a page with key id 1 */
#define PLAIN           (ALIAS + PAGE)  /* the same without */
#define SECRET          0x5ec2e7ULL

/* Registers of the host bridge */
#define PAM0            0x90            /* 0xf0000 to 0xfffff */
#define PAM_RO          0x10
#define PAM_RW          0x30
#define SMRAM           0x9d
#define SMRAM_OPEN      0x4a
#define SMRAM_CLOSED    0x0a
#define ESMRAMC         0x9e
#define TSEG_1MB        0x39            /* enabled */

#define SHADOW          0xf0000ULL
#define TSEG            (0x80000000ULL - 0x100000)

static u8 config_read(u32 reg)
{
    u8 val;

    asm volatile("outl %0, %1" : : "a"((u32)BIT(31) | (reg & ~3u)),
                 "Nd"((u16)0xcf8));
    asm volatile("inb %1, %0" : "=a"(val) : "Nd"((u16)(0xcfc + (reg & 3))));
    return val;
}

static void config_write(u32 reg, u8 val)
{
    config_read(reg);
    outb(0xcfc + (reg & 3), val);
}

static void map(u64 pa)
{
    *host_pte(ALIAS) = pa | KEY(1) | PTE_P | PTE_W;
    *host_pte(PLAIN) = pa | PTE_P | PTE_W;
    flush_tlb();
}

static void clear_line(u64 addr)
{
    static const u8 zero[64] __attribute__((aligned(64)));

    asm volatile("movdir64b (%1), %0" : : "r"(addr), "r"(zero) : "memory");
}

static void test_protected(void)
{
    u8 pam = config_read(PAM0);
    u64 val, keyed;

    map(SHADOW);
    config_write(PAM0, PAM_RW);
    wr(PLAIN, SECRET);
    config_write(PAM0, PAM_RO);
    wr(PLAIN, 0);
    check_eq(rd(PLAIN), SECRET, "memory is write-protected");
    keyed = rd(ALIAS);
    clear_line(ALIAS);
    check_eq(rd(ALIAS), keyed, "a store with a key id changes nothing");
    val = rd(PLAIN);
    check_eq(val, SECRET, "nor what is read without it");
    config_write(PAM0, pam);
}

static void test_hidden(u64 pa, u32 reg, u8 open, u8 closed, const char *what)
{
    u64 keyed;

    map(pa);
    config_write(reg, open);
    wr(PLAIN, SECRET);
    config_write(reg, closed);
    check(rd(PLAIN) != SECRET, "%s is hidden", what);
    check_eq(rd(ALIAS), rd(PLAIN), "%s is hidden by a key id, too", what);
    clear_line(ALIAS);
    vmclear(pa | KEY(1));
    keyed = rd(ALIAS);
    check_eq(keyed, rd(PLAIN), "%s: stores with a key id go nowhere", what);
    config_write(reg, open);
    check_eq(rd(PLAIN), SECRET, "%s has kept its content", what);
    config_write(reg, closed);
}

void test_main(void)
{
    vmx_on();
    test_protected();
    test_hidden(0xa8000, SMRAM, SMRAM_OPEN, SMRAM_CLOSED, "SMRAM");
    test_hidden(TSEG, ESMRAMC, TSEG_1MB & ~1, TSEG_1MB, "TSEG");
}
