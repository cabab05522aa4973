/*
 * SEV-SNP tests: into long mode and out of it
 *
 * A hypervisor starts its guests with a busy TSS of 16 bits, and firmware
 * enters long mode with it: no processor of AMD's refuses that.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define TSS16_BUSY  0x83
#define CODE32      0xc9b

static struct vm vm;

static void set_attr(unsigned seg, u16 attr)
{
    vm_set(&vm, seg, (vm_get(&vm, seg) & ~0xffff0000ULL) | (u64)attr << 16);
}

static void test_guest(enum kind kind, const char *what)
{
    u64 cr0;

    vm_init(&vm, kind);
    cr0 = vm_get(&vm, SAVE_CR0);
    vm_prepare(&vm, g_long_mode, 0x1000, cr0, 0, 0);
    vm_open(&vm);
    set_attr(SAVE_CS, CODE32);
    set_attr(SAVE_TR, TSS16_BUSY);
    vm_set(&vm, SAVE_CR0, cr0 & ~CR0_PG);
    vm_set(&vm, SAVE_EFER, EFER_SVME);
    vm_close(&vm);
    vm_enter(&vm);
    check_done(&vm, what);
    check_eq((u32)vm_get(&vm, SAVE_RAX), EFER_SVME | EFER_LME | EFER_LMA,
             "%s: EFER", what);
    check_eq(vm_get(&vm, SAVE_TR) >> 16 & 0xfff, TSS16_BUSY, "%s: TR", what);
    check_round_trip();
}

void test_main(void)
{
    check_round_trip();
    snp_enable();
    svm_enable();
    check_round_trip();
    test_guest(PLAIN, "a guest without encryption enters long mode");
    test_guest(SEV_ES, "an SEV-ES guest enters long mode");
    test_guest(SNP, "an SNP guest enters long mode");
}
