/*
 * VMX tests: a host of the P-SEAMLDR, with two processors
 *
 * Names and numbers are those of Intel's SEAM Loader Interface Specification.
 * The runner puts images of two modules, and of files that are not, into RAM.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_VMX_SEAMLDR_H
#define TESTS_VMX_SEAMLDR_H

#include "td.h"

#define SEAMLDR_INFO        BIT(63)
#define SEAMLDR_INSTALL     (BIT(63) | 1)
#define SEAMLDR_SHUTDOWN    (BIT(63) | 2)

#define EBADPARAM           0x8000000000000000ULL
#define EBADCALL            0x8000000000000003ULL
#define ENOMEM              0x8000000000010002ULL
#define EUNSPECERR          0x8000000000010003ULL
#define EUNSUPCPU           0x8000000000010004ULL
#define EBADSIG             0x8000000000020000ULL
#define EBADHASH            0x8000000000020001ULL
/* No status: VMfailInvalid */
#define FAIL_INVALID        1ULL

/* Scenarios */
#define LOAD                0
#define UPDATE              1
#define MAX_PAGES           496

#define TDH_SYS_RD          34
#define TDH_SYS_SHUTDOWN    52
#define TDH_SYS_UPDATE      53
#define TDX_SYS_BUSY        TDX_(0x80000202)
#define TDX_SYS_SHUTDOWN    TDX_(0xc0000506)
#define TDX_SYS_STATE_INCORRECT TDX_(0xc0000508)
#define TDX_SYS_NOT_READY   TDX_(0xc0000505)

/* TDX-BLOB: a page of header, SEAM_SIGSTRUCT, the module */
struct image {
    u16 version, checksum;
    u8 signature[8];
    u32 nr_sigstruct, nr_pages;
    u8 reserved[PAGE - 20];
    u8 sigstruct[PAGE];
    u8 pages[];
} __attribute__((packed));

/* That differ in all that a module may differ in */
#define IMAGE(n)            ((struct image *)(0x10000000UL + (n) * 0x2000000UL))
#define NO_MODULES          0x14000000
#define NO_MODULE_SIZE      0x10000

#define SIG_HASH            900
#define SIG_SVN             948

struct params {
    u32 version, scenario;
    u64 sigstruct;
    u8 reserved[104];
    u64 nr_pages;
    u64 page[MAX_PAGES];
};

struct info {
    u32 version, attributes, vendor, build_date;
    u16 build_num, minor, major, update;
    u32 acm_x2apic, remaining;
    u64 valid;
    u8 tcb_svn[16], mrseam[48], mrsigner[48];
    u64 seam_attributes;
    u8 seam_ready, seam_debug, p_seam_ready;
    u8 reserved[93];
} __attribute__((packed, aligned(256)));

/* What loader() and install() pass, and what remaining() gets */
extern struct params params;
extern u8 sigstruct[PAGE];
extern struct info info;

/* VMXON on both; nothing is printed */
extern u64 vmxon_status[2];
void both_start(void);
/* SEAMCALL. The P-SEAMLDR changes no register but RAX. */
u64 loader(u64 leaf, u64 cx);
/* The same on the other processor, or a function there */
u64 on_ap(u64 leaf, u64 cx);
void ap_begins(void (*fn)(void));
void ap_ends(void);
/* SEAMLDR.INFO: how many updates are left, or the status */
u64 remaining(void);
void fill_params(u64 scenario, const struct image *from);
/* On both: the status of the last call that is made */
u64 install(void);
/* True if SEAMCALLs get to a module, in whatever state */
bool module_there(void);

#endif
