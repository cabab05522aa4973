/*
 * TDX module: metadata of the module
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"
#include "meta.h"

#define ALL     (MD_HOST | MD_GUEST)
#define NUM_PKG_FMS     8
#define CONST(i, who, v)                                                    \
    { .id = i, .fields = 1, .elements = 1, .where = MD_CONST, .rd = who,    \
      .at = v }
#define SPECIAL(i, n, e, fn)                                                \
    { .id = i, .fields = n, .elements = e, .where = MD_SPECIAL,             \
      .rd = MD_HOST, .get = fn }

static u64 sys_get_pkgs(struct md *m, unsigned i, u64 *v)
{
    (void)m, (void)i;
    *v = plat_info()->num_pkgs;
    return TDX_SUCCESS;
}

/* All packages are of the same kind; there are none beyond the last one. */
static u64 sys_get_pkg_fms(struct md *m, unsigned i, u64 *v)
{
    u32 native[4];

    (void)m;
    plat_cpuid(1, 0, native);
    *v = i < plat_info()->num_pkgs ? native[0] : 0;
    return TDX_SUCCESS;
}

static u64 sys_get_num_cmrs(struct md *m, unsigned i, u64 *v)
{
    (void)m, (void)i;
    for (*v = 0; *v < MAX_CMRS && plat_info()->cmr[*v].size; ) {
        ++*v;
    }
    return TDX_SUCCESS;
}

static u64 sys_get_cmr_base(struct md *m, unsigned i, u64 *v)
{
    (void)m;
    *v = plat_info()->cmr[i].base;
    return TDX_SUCCESS;
}

static u64 sys_get_cmr_size(struct md *m, unsigned i, u64 *v)
{
    (void)m;
    *v = plat_info()->cmr[i].size;
    return TDX_SUCCESS;
}

/* Fields beyond the last one that exists are not there. */
static u64 sys_get_config_leaf(struct md *m, unsigned i, u64 *v)
{
    const struct cpuid_row *row = cpuid_config_row(i);

    (void)m;
    if (!row) {
        return TDX_METADATA_FIELD_ID_INCORRECT;
    }
    *v = row->leaf | (u64)row->sub << 32;
    return TDX_SUCCESS;
}

static u64 sys_get_config_value(struct md *m, unsigned i, u64 *v)
{
    const struct cpuid_row *row = cpuid_config_row(i / 2);
    unsigned r = i % 2 * 2;
    u32 native[4];

    (void)m;
    if (!row) {
        return TDX_METADATA_FIELD_ID_INCORRECT;
    }
    plat_cpuid(row->leaf, row->sub == CPUID_NO_SUB ? 0 : row->sub, native);
    *v = (row->config[r] | (row->allow[r] & native[r])) |
         (u64)(row->config[r + 1] | (row->allow[r + 1] & native[r + 1])) << 32;
    return TDX_SUCCESS;
}

static const struct md_field md_sys_fields[] = {
    SPECIAL(0x0000000200000000, 1, 1, sys_get_pkgs),
    SPECIAL(0x0000000200000001, NUM_PKG_FMS, 1, sys_get_pkg_fms),
    CONST(0x0800000200000000, ALL, MODULE_VENDOR),
    CONST(0x8800000200000001, MD_HOST, MODULE_BUILD_DATE),
    CONST(0x8800000100000002, MD_HOST, MODULE_BUILD_NUM),
    CONST(0x0800000100000003, ALL, MODULE_MINOR),
    CONST(0x0800000100000004, ALL, MODULE_MAJOR),
    CONST(0x0800000100000005, MD_HOST, MODULE_UPDATE),
    CONST(0x0800000100000006, MD_HOST, 0),          /* internal version */
    CONST(0x8900000100000000, MD_HOST, MODULE_HANDOFF),
    CONST(0x8900000100000001, MD_HOST, MODULE_HANDOFF_MIN),
    CONST(0x8900000000000002, MD_HOST, MODULE_NO_DOWNGRADE),
    CONST(0x8900000100000003, MD_HOST, HANDOFF_PAGES),
    CONST(0x0a00000200000000, ALL, 0),              /* attributes */
    CONST(0x0a00000000000001, ALL, 1),              /* TDX_FEATURES fields */
    CONST(0x0a00000300000008, ALL, TDX_FEATURES0),
    SPECIAL(0x9000000100000000, 1, 1, sys_get_num_cmrs),
    SPECIAL(0x9000000300000080, MAX_CMRS, 1, sys_get_cmr_base),
    SPECIAL(0x9000000300000100, MAX_CMRS, 1, sys_get_cmr_size),
    CONST(0x9100000100000008, MD_HOST, MAX_TDMRS),
    CONST(0x9100000100000009, MD_HOST, MAX_RESERVED_PER_TDMR),
    CONST(0x9100000100000010, MD_HOST, PAMT_ENTRY_SIZE),
    CONST(0x9100000100000011, MD_HOST, PAMT_ENTRY_SIZE),
    CONST(0x9100000100000012, MD_HOST, PAMT_ENTRY_SIZE),
    CONST(0x9800000100000000, MD_HOST, PAGE_SIZE),
    CONST(0x9800000100000100, MD_HOST, TDCS_PAGES * PAGE_SIZE),
    CONST(0x9800000100000101, MD_HOST, 0),          /* for L2 VMs */
    CONST(0x9800000100000200, MD_HOST, TDVPS_PAGES * PAGE_SIZE),
    CONST(0x9800000100000201, MD_HOST, 0),
    CONST(0x1900000300000000, MD_HOST, ATTRIBUTES_FIXED0),
    CONST(0x1900000300000001, MD_HOST, ATTRIBUTES_FIXED1),
    { .id = 0x1900000300000002, .fields = 1, .elements = 1,
      .where = MD_MODULE, .rd = MD_HOST,
      .at = offsetof(struct module, xfam_fixed0) },
    CONST(0x1900000300000003, MD_HOST, XFAM_FIXED1),
    CONST(0x9900000100000004, MD_HOST, NUM_CPUID_CONFIG),
    CONST(0x9900000300000006, MD_HOST, CONFIG_FLAGS_FIXED0),
    CONST(0x9900000300000007, MD_HOST, CONFIG_FLAGS_FIXED1),
    CONST(0x9900000100000008, MD_HOST, MAX_VCPUS_PER_TD),
    SPECIAL(0x9900000300000400, NUM_CPUID_CONFIG, 1, sys_get_config_leaf),
    SPECIAL(0x9900000300000500, NUM_CPUID_CONFIG, 2, sys_get_config_value),
    CONST(0x9900000300000600, MD_HOST, 0),          /* ARCH_CAPABILITIES */
};

const struct md_table md_sys = { md_sys_fields, ARRAY_SIZE(md_sys_fields) };
