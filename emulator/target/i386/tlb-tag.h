/*
 * x86 TLB: what the translations of the host and of a guest belong to
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef I386_TLB_TAG_H
#define I386_TLB_TAG_H

/*
 * All registers that a walk of page tables depends on. Has no padding, as tags
 * are compared as a whole.
 */
typedef struct X86TlbTag {
    uint64_t cr3;
    uint64_t pdpte[4];          /* if they are registers */
    uint64_t cbit;
    uint64_t syscfg;            /* AMD: memory encryption, RMP checks */
    uint32_t pg_mode;
    uint32_t pkru;
    uint32_t pkrs;
    uint32_t asid;              /* or VPID */
    uint32_t key;
    uint32_t vmpl;
    uint32_t guest_type;
    uint32_t reserved;
} X86TlbTag;

/* The same for nested page tables, or EPT */
typedef struct X86NestedTag {
    uint64_t root;
    uint64_t shared_root;       /* of a TD */
    uint64_t syscfg;
    uint32_t pg_mode;
    uint32_t asid;              /* SVM only: EPT translations have none */
    uint32_t on;
    uint32_t seam;              /* a TD */
} X86NestedTag;

/*
 * The tags are those of translations that may still be in the TLB: of the host
 * while a guest runs, of the last guest while the host runs, and so on.
 */
typedef struct X86TlbState {
    X86TlbTag host;
    X86TlbTag seam;             /* SEAM root operation: a TDX module */
    X86TlbTag guest;
    X86NestedTag nested;
    uint32_t asid;              /* or VPID, of the guest that runs */
    bool switching;             /* no world's registers are complete */
} X86TlbState;

#endif
