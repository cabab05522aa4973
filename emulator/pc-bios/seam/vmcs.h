/*
 * TDX module: the VMCS of a vCPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_VMCS_H
#define SEAM_VMCS_H

#include "types.h"

/* Encodings of the SDM, and of the TDX extensions (HKID, shared EPT) */
enum vmcs_field {
    VMCS_VPID = 0x0000,
    VMCS_POSTED_VECTOR = 0x0002,
    VMCS_INTR_STATUS = 0x0810,
    VMCS_MSR_BITMAPS = 0x2004,
    VMCS_TSC_OFFSET = 0x2010,
    VMCS_VAPIC = 0x2012,
    VMCS_POSTED_DESC = 0x2016,
    VMCS_EPTP = 0x201a,
    VMCS_EOI_EXIT0 = 0x201c,
    VMCS_VE_INFO = 0x202a,
    VMCS_XSS_EXITING = 0x202c,
    VMCS_ENCLS_BITMAP = 0x202e,
    VMCS_TSC_MULTIPLIER = 0x2032,
    VMCS_TERTIARY = 0x2034,
    VMCS_ENCLV_BITMAP = 0x2036,
    VMCS_SHARED_EPTP = 0x203c,
    VMCS_PCONFIG_BITMAP = 0x203e,
    VMCS_GPA = 0x2400,
    VMCS_LINK = 0x2800,
    VMCS_DEBUGCTL = 0x2802,
    VMCS_PAT = 0x2804,
    VMCS_EFER = 0x2806,
    VMCS_PIN = 0x4000,
    VMCS_PROC = 0x4002,
    VMCS_EXCEPTIONS = 0x4004,
    VMCS_EXIT_CTLS = 0x400c,
    VMCS_ENTRY_CTLS = 0x4012,
    VMCS_ENTRY_INTR = 0x4016,
    VMCS_ENTRY_ERROR = 0x4018,
    VMCS_ENTRY_LENGTH = 0x401a,
    VMCS_TPR_THRESHOLD = 0x401c,
    VMCS_PROC2 = 0x401e,
    VMCS_NOTIFY_WINDOW = 0x4024,
    VMCS_HKID = 0x4026,
    VMCS_EXIT_REASON = 0x4402,
    VMCS_EXIT_INTR = 0x4404,
    VMCS_EXIT_INTR_ERROR = 0x4406,
    VMCS_IDT_VECTORING = 0x4408,
    VMCS_IDT_ERROR = 0x440a,
    VMCS_INSTR_LENGTH = 0x440c,
    VMCS_INSTR_INFO = 0x440e,
    VMCS_GUEST_LIMIT = 0x4800,      /* ES; CS, SS, ... TR: 2 more each */
    VMCS_GUEST_GDTR_LIMIT = 0x4810,
    VMCS_GUEST_IDTR_LIMIT = 0x4812,
    VMCS_GUEST_AR = 0x4814,
    VMCS_CS_AR = 0x4816,
    VMCS_SS_AR = 0x4818,
    VMCS_INTERRUPTIBILITY = 0x4824,
    VMCS_ACTIVITY = 0x4826,
    VMCS_CR0_MASK = 0x6000,
    VMCS_CR4_MASK = 0x6002,
    VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,
    VMCS_QUALIFICATION = 0x6400,
    VMCS_GLA = 0x640a,
    VMCS_CR0 = 0x6800,
    VMCS_CR3 = 0x6802,
    VMCS_CR4 = 0x6804,
    VMCS_DR7 = 0x681a,
    VMCS_RSP = 0x681c,
    VMCS_RIP = 0x681e,
    VMCS_RFLAGS = 0x6820,
    VMCS_PENDING_DEBUG = 0x6822,
};

#define PIN_POSTED          BIT(7)
#define POSTED_VECTOR_NONE  0xffff
#define PROC_NMI_WINDOW     BIT(22)
#define PROC2_BUS_LOCK      BIT(30)
#define PROC2_NOTIFY        BIT(31)

#define INTR_VALID          BIT(31)
#define INTR_ERROR_CODE     BIT(11)
#define INTR_TYPE(i)        (((i) >> 8) & 7)
#define INTR_TYPE_NMI       2
#define INTR_TYPE_EXCEPTION 3

/* Interruptibility */
#define BLOCK_BY_STI        BIT(0)
#define BLOCK_BY_MOV_SS     BIT(1)
#define BLOCK_BY_NMI        BIT(3)
#define BLOCKS_NMI          (BLOCK_BY_STI | BLOCK_BY_MOV_SS | BLOCK_BY_NMI)

#define CS_AR_L             BIT(13)
#define EFER_LMA            BIT(10)
#define RFLAGS_IF           BIT(9)
#define RFLAGS_RF           BIT(16)
#define CR0_PE              BIT(0)
#define CR0_NE              BIT(5)
#define CR0_WP              BIT(16)
#define CR0_NW              BIT(29)
#define CR0_CD              BIT(30)
#define CR0_PG              BIT(31)
#define CR4_MCE             BIT(6)
#define CR4_VMXE            BIT(13)
#define CR4_SMXE            BIT(14)
#define CR4_PCIDE           BIT(17)
#define CR4_OSXSAVE         BIT(18)
#define CR4_CET             BIT(23)

/* True if the processor has the field; for fields that depend on a feature */
bool vmcs_has(u32 field);
/* TDH.SYS.INIT: controls that no TD can do without */
u64 vmcs_check(void);
/* True if the processor walks five levels; has guest addresses of 52 bits */
bool vmcs_has_ept_5(void);
bool vmcs_has_gpaw(void);
/* All fields of a new vCPU; its VMCS is current */
struct call;
void vmcs_init(struct call *c);

#endif
