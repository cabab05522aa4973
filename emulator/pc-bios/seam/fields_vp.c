/*
 * TDX module: metadata of vCPUs
 *
 * Class 0 is the VMCS: the field's code is its encoding.  A host sets up
 * posted interrupts, the shared EPT and notification with it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "meta.h"
#include "vmcs.h"

#define HOST    MD_HOST
#define DEBUG   MD_DEBUG
#define GUEST   MD_GUEST
#define ALL     (MD_HOST | MD_GUEST)

#define IN_VCPU(i, n, member, r, w, m)                                      \
    { .id = i, .fields = n, .elements = 1, .where = MD_VCPU, .rd = r,       \
      .wr = w, .wr_mask = m, .at = offsetof(struct vcpu, member) }
#define VMCS_ID(size, f)    (0x0020000000000000ULL | (u64)(size) << 32 | (f))
#define VMCS(size, f, n, r, w, m, s)                                        \
    { .id = VMCS_ID(size, f), .fields = n, .elements = 1, .step = 2,        \
      .where = MD_SPECIAL, .rd = r, .wr = w, .wr_mask = m,                  \
      .get = vmcs_get_##f, .set = s }

/* Controls: a host sees those that it may change. */
#define VMCS_CTLS(f, m)                                                     \
    { .id = VMCS_ID(2, f), .fields = 1, .elements = 1,                      \
      .where = MD_SPECIAL, .rd = HOST, .wr = HOST, .wr_mask = m,            \
      .rd_mask = m, .get = vmcs_get_##f, .set = vmcs_set_##f }

/* The VMCS is current: the leaf has associated the vCPU. */
#define VMCS_GET(f)                                                      \
    static u64 vmcs_get_##f(struct md *m, unsigned i, u64 *v)               \
    {                                                                       \
        (void)m;                                                            \
        if (!vmcs_has((f) + 2 * i)) {                                       \
            return TDX_METADATA_FIELD_NOT_READABLE;                         \
        }                                                                   \
        *v = plat_vmread((f) + 2 * i);                                      \
        return TDX_SUCCESS;                                                 \
    }

#define VMCS_FIELDS(f)                                                      \
    VMCS_GET(f)                                                             \
    static u64 vmcs_set_##f(struct md *m, unsigned i, u64 v)                \
    {                                                                       \
        (void)m;                                                            \
        plat_vmwrite((f) + 2 * i, v);                                       \
        return TDX_SUCCESS;                                                 \
    }

VMCS_FIELDS(0x0800)
VMCS_FIELDS(0x2802)
VMCS_FIELDS(0x4024)
VMCS_FIELDS(0x4800)
VMCS_FIELDS(0x482a)
VMCS_FIELDS(0x6800)
VMCS_GET(0x0002)
VMCS_GET(0x2016)
VMCS_GET(0x4000)
VMCS_GET(0x401e)
VMCS_GET(0x4826)
#undef VMCS_FIELDS
#undef VMCS_GET

static u64 vmcs_set_0x0002(struct md *m, unsigned i, u64 v)
{
    (void)m, (void)i;
    if (v > 255) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    plat_vmwrite(VMCS_POSTED_VECTOR, v);
    return TDX_SUCCESS;
}

static u64 vmcs_set_0x4000(struct md *m, unsigned i, u64 v)
{
    (void)m, (void)i;
    if ((v & PIN_POSTED) && plat_vmread(VMCS_POSTED_VECTOR) > 255) {
        return status(TDX_TD_VMCS_FIELD_NOT_INITIALIZED, VMCS_POSTED_VECTOR);
    }
    if ((v & PIN_POSTED) && plat_vmread(VMCS_POSTED_DESC) == ~0ULL) {
        return status(TDX_TD_VMCS_FIELD_NOT_INITIALIZED, VMCS_POSTED_DESC);
    }
    plat_vmwrite(VMCS_PIN, v);
    return TDX_SUCCESS;
}

/* A control that the processor lacks makes VM entries fail. */
static u64 vmcs_set_0x401e(struct md *m, unsigned i, u64 v)
{
    (void)m, (void)i;
    if (v & ~(plat_rdmsr(MSR_VMX_BASIC + 0xb) >> 32)) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    plat_vmwrite(VMCS_PROC2, v);
    return TDX_SUCCESS;
}

/*
 * Active only: an inactive TD rejects some events, and in some states
 * interrupts of the host do not end its execution.
 */
static u64 vmcs_set_0x4826(struct md *m, unsigned i, u64 v)
{
    (void)m, (void)i;
    if (v) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    plat_vmwrite(VMCS_ACTIVITY, v);
    return TDX_SUCCESS;
}

static u64 vmcs_set_0x2016(struct md *m, unsigned i, u64 v)
{
    (void)m, (void)i;
    if (is_error(phymem_check_shared(v, 64, 64))) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    plat_vmwrite(VMCS_POSTED_DESC, v);
    return TDX_SUCCESS;
}

/* The host says where the tables are; how they are walked is the module's. */
static u64 vmcs_get_0x203c(struct md *m, unsigned i, u64 *v)
{
    (void)i;
    *v = m->vp->shared_eptp;
    return TDX_SUCCESS;
}

static u64 vmcs_set_0x203c(struct md *m, unsigned i, u64 v)
{
    (void)i;
    if (is_error(phymem_check_shared(v, PAGE_SIZE, PAGE_SIZE))) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    m->vp->shared_eptp = v;
    plat_vmwrite(VMCS_SHARED_EPTP, v);
    return TDX_SUCCESS;
}

static u64 vmcs_get_0x201a(struct md *m, unsigned i, u64 *v)
{
    (void)i;
    *v = m->td->tdcs->eptp;
    return TDX_SUCCESS;
}

/* Bit 0: an interrupt is pending that the TD could take */
static u64 vcpu_get_details(struct md *m, unsigned i, u64 *v)
{
    const u32 *vapic = plat_map(
        with_key(m->vp->page_pa[TDVPS_PAGE_VAPIC], m->td->tdr->hkid), PLAT_RO);
    u64 rvi = plat_vmread(VMCS_INTR_STATUS) & 0xf0;

    (void)i;
    *v = rvi > (vapic[0xa0 / 4] & 0xf0);
    return TDX_SUCCESS;
}

static u64 vcpu_set_bool(struct md *m, unsigned i, u64 v)
{
    (void)i;
    if (v > 1) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    m->vp->pend_nmi = v;
    return TDX_SUCCESS;
}

static const struct md_field md_vp_fields[] = {
    VMCS(1, 0x0002, 1, HOST, HOST, 0, vmcs_set_0x0002),
    VMCS(1, 0x0800, 8, DEBUG, DEBUG, 0, vmcs_set_0x0800),
    { .id = VMCS_ID(3, 0x2016), .fields = 1, .elements = 1,
      .where = MD_SPECIAL, .rd = HOST, .wr = HOST, .null = true,
      .wr_mask = BITS(51, 6), .get = vmcs_get_0x2016,
      .set = vmcs_set_0x2016 },
    VMCS(3, 0x201a, 1, HOST, 0, 0, NULL),
    VMCS(3, 0x203c, 1, HOST, HOST, BITS(51, 12), vmcs_set_0x203c),
    VMCS(3, 0x2802, 3, DEBUG, DEBUG, 0, vmcs_set_0x2802),
    VMCS_CTLS(0x4000, PIN_POSTED),
    VMCS_CTLS(0x401e, PROC2_BUS_LOCK | PROC2_NOTIFY),
    VMCS(2, 0x4024, 1, HOST, HOST, 0, vmcs_set_0x4024),
    VMCS(2, 0x4800, 19, DEBUG, DEBUG, 0, vmcs_set_0x4800),
    VMCS(2, 0x4826, 1, DEBUG, DEBUG, 0, vmcs_set_0x4826),
    VMCS(2, 0x482a, 1, DEBUG, DEBUG, 0, vmcs_set_0x482a),
    VMCS(3, 0x6800, 20, DEBUG, DEBUG, 0, vmcs_set_0x6800),

    IN_VCPU(0x0220000200000000, 2, ve.exit_reason, DEBUG, 0, 0),
    IN_VCPU(0x0220000300000002, 3, ve.exit_qualification, DEBUG, 0, 0),
    IN_VCPU(0x8220000200000010, 2, ve.instruction_length, DEBUG, 0, 0),
    IN_VCPU(0x1020000300000000, 4, guest.gpr.r[R_AX], DEBUG, DEBUG, 0),
    IN_VCPU(0x1020000300000005, 11, guest.gpr.r[R_BP], DEBUG, DEBUG, 0),
    IN_VCPU(0x1120000300000000, 4, guest.dr, DEBUG, DEBUG, 0),
    IN_VCPU(0x1120000300000006, 1, guest.dr6, DEBUG, DEBUG, 0xffffffff),
    IN_VCPU(0x1120000300000020, 1, xcr0, DEBUG, 0, 0),
    IN_VCPU(0x1120000300000028, 1, guest.cr2, DEBUG, DEBUG, 0),
    { .id = 0x9120000300000100, .fields = 1, .elements = 1,
      .where = MD_SPECIAL, .rd = HOST, .get = vcpu_get_details },
    IN_VCPU(0x1320000300000048, 1, msr[VMSR_SPEC_CTRL], DEBUG, 0, 0),
    IN_VCPU(0x1320000300000da0, 1, msr[VMSR_XSS], DEBUG, 0, 0),
    IN_VCPU(0x1320000300002081, 2, msr[VMSR_STAR], DEBUG, 0, 0),
    IN_VCPU(0x1320000300002084, 1, msr[VMSR_FMASK], DEBUG, 0, 0),
    IN_VCPU(0x1320000300002102, 2, msr[VMSR_KERNEL_GS_BASE], DEBUG, 0, 0),
    IN_VCPU(0xa020000000000000, 1, state, DEBUG, 0, 0),
    IN_VCPU(0xa020000200000002, 1, index, ALL, 0, 0),
    IN_VCPU(0xa020000000000003, 1, num_pages, HOST, 0, 0),
    IN_VCPU(0xa020000200000004, 1, assoc_lp, HOST, 0, 0),
    IN_VCPU(0xa020000300000006, 1, epoch, HOST, 0, 0),
    IN_VCPU(0xa020000000000007, 2, cpuid_supervisor_ve, ALL, GUEST, 1),
    IN_VCPU(0xa02000030000000a, 1, last_exit_tsc, DEBUG, 0, 0),
    { .id = 0x202000000000000b, .fields = 1, .elements = 1,
      .where = MD_VCPU, .rd = HOST, .wr = HOST,
      .at = offsetof(struct vcpu, pend_nmi), .set = vcpu_set_bool },
    IN_VCPU(0xa02000000000000f, 1, last_exit, DEBUG, 0, 0),
    IN_VCPU(0xa020000300000010, TDVPS_PAGES, page_pa, HOST, 0, 0),
    IN_VCPU(0xa120000000000000, NUM_CPUID_CONTROL, cpuid_control,
            DEBUG | GUEST, GUEST, 3),
};

const struct md_table md_vp = { md_vp_fields, ARRAY_SIZE(md_vp_fields) };
