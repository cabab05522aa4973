/*
 * AMD SEV-ES: the VM Save Area (VMSA) of a guest with encrypted state
 *
 * Offsets as in the APM, volume 2, appendix B, "Save State Area for SEV-ES".
 * Up to RAX the layout is that of the VMCB's save area.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_VMSA_H
#define TCG_VMSA_H

#include "svm.h"

struct QEMU_PACKED vmsa {
    struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint64_t pl_ssp[4];
    uint64_t u_cet;
    uint8_t reserved_c8[2];
    uint8_t vmpl;
    uint8_t cpl;
    uint8_t reserved_cc[4];
    uint64_t efer;
    uint8_t reserved_d8[104];
    uint64_t xss;
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint64_t dr[4];
    uint64_t dr_mask[4];
    uint8_t reserved_1c0[24];
    uint64_t rsp;
    uint64_t s_cet, ssp, isst_addr;
    uint64_t rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_248[32];
    uint64_t g_pat;
    uint64_t dbgctl, br_from, br_to, last_excp_from, last_excp_to;
    uint8_t reserved_298[80];
    uint32_t pkru;
    uint32_t tsc_aux;
    uint64_t guest_tsc_scale, guest_tsc_offset, reg_prot_nonce;
    uint64_t rcx, rdx, rbx;
    uint64_t reserved_320;
    uint64_t rbp, rsi, rdi;
    uint64_t r8[8];
    uint8_t reserved_380[16];
    uint64_t guest_exit_info_1, guest_exit_info_2, guest_exit_int_info;
    uint64_t guest_nrip;
    uint64_t sev_features;
    uint64_t vintr_ctrl;
    uint64_t guest_exit_code;
    uint64_t virtual_tom;
    uint64_t tlb_id, pcpu_id;
    uint64_t event_inj;
    uint64_t xcr0;
    uint8_t reserved_3f0[16];
    uint64_t x87_dp;
    uint32_t mxcsr;
    uint16_t x87_ftw, x87_fsw, x87_fcw, x87_fop, x87_ds, x87_cs;
    uint64_t x87_rip;
    uint8_t fpreg_x87[80];
    uint8_t fpreg_xmm[256];
    uint8_t fpreg_ymm[256];
};

QEMU_BUILD_BUG_ON(offsetof(struct vmsa, vmpl) != 0x0ca);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, efer) != 0x0d0);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, xss) != 0x140);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, rip) != 0x178);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, rsp) != 0x1d8);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, rax) != 0x1f8);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, cr2) != 0x240);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, g_pat) != 0x268);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, pkru) != 0x2e8);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, rcx) != 0x308);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, guest_exit_info_1) != 0x390);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, sev_features) != 0x3b0);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, xcr0) != 0x3e8);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, x87_dp) != 0x400);
QEMU_BUILD_BUG_ON(offsetof(struct vmsa, fpreg_x87) != 0x420);
QEMU_BUILD_BUG_ON(sizeof(struct vmsa) != 0x670);

/* Hypervisors use the same layout at this offset of the host save area. */
#define HSAVE_STATE 0x400

#endif
