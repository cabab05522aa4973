/*
 * TDX module: CPUID of TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"
#include "module.h"

enum { EAX, EBX, ECX, EDX };

/* Features that need a component of the extended state */
static const struct {
    u64 xfam;                   /* any of these */
    u32 leaf, sub;
    u32 mask[4];
} cpuid_xfam[] = {
    { BIT(2), 1, CPUID_NO_SUB, { 0, 0, 0x30001000 } },
    { BIT(2), 7, 0, { 0, 0x20, 0x600 } },
    { BIT(2), 7, 1, { 0x00800010, 0, 0, 0x430 } },
    { BITS(7, 5), 7, 0, { 0, 0xdc230000, 0x5842, 0x0080010c } },
    { BITS(7, 5), 7, 1, { 0x20 } },
    { BIT(8), 7, 0, { 0, 0x02000000 } },
    { BIT(9), 7, 0, { 0, 0, 8 } },
    { BITS(12, 11), 7, 0, { 0, 0, 0x80, 0x00100000 } },
    { BIT(14), 7, 0, { 0, 0, 0, 0x20 } },
    { BIT(15), 7, 0, { 0, 0, 0, 0x00080000 } },
    { BITS(18, 17), 7, 0, { 0, 0, 0, 0x03400000 } },
};

unsigned cpuid_find(u32 leaf, u32 sub)
{
    unsigned i;

    for (i = 0; i < cpuid_rows; i++) {
        const struct cpuid_row *row = &cpuid_table[i];

        if (row->leaf == leaf &&
            (row->sub == CPUID_NO_SUB || row->sub == sub)) {
            break;
        }
    }
    return i;
}

bool cpuid_is_config(const struct cpuid_row *row)
{
    for (unsigned i = 0; i < 4; i++) {
        if (row->config[i] | row->allow[i]) {
            return true;
        }
    }
    return false;
}

const struct cpuid_row *cpuid_config_row(unsigned n)
{
    for (unsigned i = 0; i < cpuid_rows; i++) {
        if (cpuid_is_config(&cpuid_table[i]) && n-- == 0) {
            return &cpuid_table[i];
        }
    }
    return NULL;
}

static void cpuid_apply_xfam(const struct cpuid_row *row, u64 xfam, u32 v[4])
{
    for (unsigned i = 0; i < ARRAY_SIZE(cpuid_xfam); i++) {
        if (cpuid_xfam[i].leaf != row->leaf || cpuid_xfam[i].sub != row->sub ||
            (xfam & cpuid_xfam[i].xfam)) {
            continue;
        }
        for (unsigned r = 0; r < 4; r++) {
            v[r] &= ~cpuid_xfam[i].mask[r];
        }
    }
    if (row->leaf == 0xd && row->sub == 0) {
        v[EAX] &= xfam;
    } else if (row->leaf == 0xd && row->sub == 1) {
        v[ECX] &= xfam;
    } else if (row->leaf == 0xd && !(xfam & BIT(row->sub))) {
        memset(v, 0, 4 * sizeof(v[0]));
    } else if ((row->leaf == 0x14 && !(xfam & BIT(8))) ||
               (row->leaf == 0x1c && !(xfam & BIT(15))) ||
               (row->leaf == 0x1d && !(xfam & BITS(18, 17))) ||
               (row->leaf == 0x1e && !(xfam & BITS(18, 17)))) {
        memset(v, 0, 4 * sizeof(v[0]));
    }
}

/* Standard size of the areas of user components, or compacted of all */
static u32 cpuid_xsave_size(u64 components, bool compacted)
{
    u32 size = 576, v[4];

    for (unsigned i = 2; i < 63; i++) {
        if (!(components & BIT(i))) {
            continue;
        }
        plat_cpuid(0xd, i, v);
        if (!compacted) {
            size = v[EBX] + v[EAX] > size ? v[EBX] + v[EAX] : size;
        } else {
            size = (v[ECX] & 2 ? (size + 63) & ~63u : size) + v[EAX];
        }
    }
    return size;
}

/* Values that are made of other parameters of the TD */
static void cpuid_derive(const struct tdcs *tdcs, const struct cpuid_row *row,
                         const u32 native[4], u32 v[4])
{
    if (row->leaf == 0x80000008) {
        /* Configurable in name only: MAXPA is not virtualized. */
        v[EAX] = (v[EAX] & ~0xffu) | (native[EAX] & 0xff);
    } else if (row->leaf == 0x15) {
        v[EBX] = tdcs->tsc_frequency;
    } else if (row->leaf == 0xd && row->sub == 0) {
        v[ECX] = cpuid_xsave_size(tdcs->xfam & XCR0_COMPONENTS, false);
    } else if (row->leaf == 0xb) {
        /* made of leaf 0x1f when it is read */
        memset(v, 0, 4 * sizeof(v[0]));
    }
}

u64 cpuid_init(struct td *td, const struct td_params *params, u64 *bad)
{
    const struct tdcs *tdcs = td->tdcs;
    unsigned n = 0;

    for (unsigned i = 0; i < cpuid_rows; i++) {
        const struct cpuid_row *row = &cpuid_table[i];
        bool config = cpuid_is_config(row);
        u32 *v = td->tables->cpuid[i], native[4];

        plat_cpuid(row->leaf, row->sub == CPUID_NO_SUB ? 0 : row->sub, native);
        for (unsigned r = 0; r < 4; r++) {
            u32 p = config ? params->cpuid[n][r] : 0;

            if (p & ~(row->config[r] | (row->allow[r] & native[r]))) {
                *bad = row->leaf | (u64)row->sub << 32;
                return status(TDX_OPERAND_INVALID, OPND_CPUID_CONFIG);
            }
            v[r] = (native[r] & ~row->zero[r] & ~row->config[r] &
                    ~row->allow[r]) | row->one[r] | (p & row->config[r]) |
                   (p & row->allow[r]);
        }
        /* A TD that cannot migrate has the processor's family and model. */
        if (row->leaf == 1 && !v[EAX]) {
            v[EAX] = native[EAX] & ~row->zero[EAX];
        }
        if (row->leaf == 1 && v[EAX] != (native[EAX] & ~row->zero[EAX])) {
            *bad = row->leaf | (u64)row->sub << 32;
            return status(TDX_OPERAND_INVALID, OPND_CPUID_CONFIG);
        }
        n += config;
        cpuid_apply_xfam(row, tdcs->xfam, v);
        cpuid_derive(tdcs, row, native, v);
    }
    return TDX_SUCCESS;
}

/* Leaf 0xb is two levels of 0x1f: threads, and all that is above them. */
static void cpuid_leaf_b(const struct td *td, u32 sub, u32 out[4])
{
    u32 type, *v = NULL;

    out[EAX] = out[EBX] = 0;
    for (unsigned s = 0; s < 6; s++) {
        u32 *level = td->tables->cpuid[cpuid_find(0x1f, s)];

        type = (level[ECX] >> 8) & 0xff;
        if (!type) {
            break;
        }
        if (sub == 0 ? type == 1 : type > 1) {
            v = level;
        }
    }
    if (sub < 2 && v) {
        out[EAX] = v[EAX];
        out[EBX] = v[EBX];
    }
    out[ECX] = sub | (sub < 2 && v ? (sub + 1) << 8 : 0);
}

/* A leaf beyond its range is the last one of the first range. */
static u32 cpuid_in_range(u32 leaf)
{
    bool hypervisor = leaf >> 28 == 4;

    return !hypervisor && (leaf > CPUID_LAST_EXTENDED ||
                           (leaf > CPUID_LAST && leaf < 0x80000000))
           ? CPUID_LAST : leaf;
}

bool cpuid_read(const struct td *td, const struct vcpu *vp, u32 leaf, u32 sub,
                u64 cr4, u32 out[4])
{
    bool topology = td->tdcs->td_ctls & TD_CTLS_ENUM_TOPOLOGY;
    u32 x2apic_id = topology ? td->tables->x2apic_id[vp->index] : vp->index;
    unsigned i;

    leaf = cpuid_in_range(leaf);
    i = cpuid_find(leaf, sub);
    if (i == cpuid_rows || cpuid_table[i].ve ||
        (!topology && (leaf == 0xb || leaf == 0x1f))) {
        return false;
    }
    memcpy(out, td->tables->cpuid[i], 4 * sizeof(out[0]));
    if (leaf == 1) {
        out[EBX] |= x2apic_id << 24;
        out[ECX] |= cr4 & BIT(18) ? BIT(27) : 0;        /* OSXSAVE */
    } else if (leaf == 7 && sub == 0) {
        out[ECX] |= cr4 & BIT(22) ? BIT(4) : 0;         /* OSPKE */
    } else if (leaf == 0xb) {
        cpuid_leaf_b(td, sub, out);
        out[EDX] = x2apic_id;
    } else if (leaf == 0x1f) {
        out[ECX] |= sub & 0xff;
        out[EDX] = x2apic_id;
    } else if (leaf == 0xd && sub == 0) {
        out[EBX] = cpuid_xsave_size(vp->xcr0, false);
    } else if (leaf == 0xd && sub == 1) {
        out[EBX] = cpuid_xsave_size(vp->xcr0 | vp->msr[VMSR_XSS], true);
    }
    return true;
}

bool cpuid_bit(const struct td *td, u32 leaf, u32 sub, unsigned reg,
               unsigned bit)
{
    unsigned i = cpuid_find(leaf, sub);

    return i < cpuid_rows && (td->tables->cpuid[i][reg] & BIT(bit));
}
