/*
 * TDX module: metadata of TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"
#include "meta.h"

#define HOST    MD_HOST
#define DEBUG   MD_DEBUG
#define GUEST   MD_GUEST
#define ALL     (MD_HOST | MD_GUEST)

#define FIELD(i, n, e, w, type, member, r)                                  \
    { .id = i, .fields = n, .elements = e, .where = w, .rd = r,             \
      .at = offsetof(type, member) }
#define IN_TDR(i, n, e, member, r)                                          \
    FIELD(i, n, e, MD_TDR, struct tdr, member, r)
#define IN_TDCS(i, n, e, member, r)                                         \
    FIELD(i, n, e, MD_TDCS, struct tdcs, member, r)
#define IN_TDCS_RW(i, member, r, w, m)                                      \
    { .id = i, .fields = 1, .elements = 1, .where = MD_TDCS, .rd = r,       \
      .at = offsetof(struct tdcs, member), .wr = w, .wr_mask = m }
#define SPECIAL(i, n, e, r, fn)                                             \
    { .id = i, .fields = n, .elements = e, .where = MD_SPECIAL, .rd = r,    \
      .get = fn }

static u64 td_get_num_cpuid(struct md *m, unsigned i, u64 *v)
{
    (void)m, (void)i;
    *v = cpuid_rows;
    return TDX_SUCCESS;
}

/*
 * Bit 0: ECX and EDX; bits 7:1 subleaf; bit 8: the leaf has none; bits 15:9
 * leaf; bit 16: bit 31 of the leaf
 */
static u64 td_get_cpuid(struct md *m, unsigned i, u64 *v)
{
    u32 leaf = ((i >> 9) & 0x7f) | (i & BIT(16) ? 0x80000000 : 0);
    u32 sub = i & BIT(8) ? CPUID_NO_SUB : (i >> 1) & 0x7f;
    unsigned row = cpuid_find(leaf, sub == CPUID_NO_SUB ? 0 : sub);
    const u32 *value;

    if (row == cpuid_rows || cpuid_table[row].ve ||
        cpuid_table[row].sub != sub) {
        return TDX_METADATA_FIELD_NOT_READABLE;
    }
    value = m->td->tables->cpuid[row] + (i & 1) * 2;
    *v = value[0] | (u64)value[1] << 32;
    return TDX_SUCCESS;
}

static u64 td_set_hp_timeout(struct md *m, unsigned i, u64 v)
{
    (void)i;
    /* 10 ms to 100 s */
    if (v < 10000 || v > 100000000) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    m->td->tdcs->hp_lock_timeout = v;
    return TDX_SUCCESS;
}

static u64 td_get_td_ctls(struct md *m, unsigned i, u64 *v)
{
    (void)i;
    *v = m->td->tdcs->td_ctls;
    return TDX_SUCCESS;
}

static u64 td_set_td_ctls(struct md *m, unsigned i, u64 v)
{
    struct tdcs *tdcs = m->td->tdcs;
    u64 changed = v ^ tdcs->td_ctls;

    (void)i;
    if (((changed & TD_CTLS_PENDING_VE_DISABLE) &&
         !(tdcs->config_flags & CONFIG_FLEX_PENDING_VE)) ||
        ((v & TD_CTLS_ENUM_TOPOLOGY) && !tdcs->topology_enum_configured)) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    tdcs->td_ctls = v;
    return TDX_SUCCESS;
}

static const struct md_field md_td_fields[] = {
    IN_TDR(0x8010000000000001, 1, 1, fatal, HOST),
    IN_TDR(0x8010000200000002, 1, 1, num_tdcx, HOST),
    IN_TDR(0x8010000300000004, 1, 1, chldcnt, HOST),
    IN_TDR(0x8010000200000005, 1, 1, state, HOST),
    IN_TDR(0x8010000300000010, TDCS_PAGES, 1, tdcx_pa, HOST),
    IN_TDR(0x8010000300000020, 1, 4, uuid, ALL),
    IN_TDR(0x8110000100000001, 1, 1, hkid, HOST),
    IN_TDR(0x8110000300000002, 1, 1, pkg_config, HOST),

    IN_TDCS(0x9010000200000001, 1, 1, num_vcpus, ALL),
    IN_TDCS(0x9010000200000002, 1, 1, num_assoc_vcpus, HOST),
    IN_TDCS(0x9010000200000004, 1, 1, op_state, HOST),
    { .id = 0x9010000100000005, .fields = 1, .elements = 1,
      .where = MD_CONST, .rd = ALL },               /* L2 VMs */

    IN_TDCS(0x1110000300000000, 1, 1, attributes, ALL),
    IN_TDCS(0x1110000300000001, 1, 1, xfam, ALL),
    IN_TDCS(0x1110000200000002, 1, 1, max_vcpus, ALL),
    IN_TDCS(0x1110000000000003, 1, 1, gpaw, ALL),
    IN_TDCS(0x1110000300000004, 1, 1, eptp, HOST),
    IN_TDCS(0x111000030000000a, 1, 1, tsc_offset, HOST),
    IN_TDCS(0x111000030000000b, 1, 1, tsc_multiplier, HOST),
    IN_TDCS(0x111000010000000c, 1, 1, tsc_frequency, ALL),
    SPECIAL(0x911000010000000e, 1, 1, HOST, td_get_num_cpuid),
    IN_TDCS(0x911000020000000f, 1, 1, xbuff_size, HOST),
    IN_TDCS_RW(0x9110000300000010, notify_enables, DEBUG | GUEST,
               DEBUG | GUEST, 1),
    { .id = 0x9110000300000011, .fields = 1, .elements = 1,
      .where = MD_TDCS, .rd = HOST, .wr = HOST,
      .at = offsetof(struct tdcs, hp_lock_timeout),
      .set = td_set_hp_timeout },
    IN_TDCS(0x9110000300000016, 1, 1, config_flags, ALL),
    { .id = 0x9110000300000017, .fields = 1, .elements = 1,
      .where = MD_SPECIAL, .rd = DEBUG | GUEST, .wr = GUEST,
      .wr_mask = TD_CTLS_PENDING_VE_DISABLE | TD_CTLS_ENUM_TOPOLOGY,
      .get = td_get_td_ctls, .set = td_set_td_ctls },
    IN_TDCS(0x9110000000000019, 1, 1, topology_enum_configured, ALL),

    IN_TDCS(0x9210000300000000, 1, 1, epoch.epoch, HOST),
    IN_TDCS(0x9210000100000001, 2, 1, epoch.refcount, HOST),

    IN_TDCS(0x1310000300000000, 1, 6, mrtd, ALL),
    IN_TDCS(0x1310000300000010, 1, 6, mrconfigid, ALL),
    IN_TDCS(0x1310000300000018, 1, 6, mrowner, ALL),
    IN_TDCS(0x1310000300000020, 1, 6, mrownerconfig, ALL),
    IN_TDCS(0x1310000300000040, NUM_RTMR, 6, rtmr, DEBUG | GUEST),

    /* 17 bits of field code */
    SPECIAL(0x9410000300000000, 2048, 64, HOST,
            td_get_cpuid),
    FIELD(0x9c10000200000000, MAX_VCPUS_PER_TD, 1, MD_TABLES,
          struct tdcs_tables, x2apic_id, HOST),
};

const struct md_table md_td = { md_td_fields, ARRAY_SIZE(md_td_fields) };
