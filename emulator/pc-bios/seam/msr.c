/*
 * TDX module: MSRs of TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "msr.h"
#include "cpuid.h"

/* Native only if the TD has the feature; #GP if not.  Or, with GP_VE, #VE. */
enum msr_feature {
    ANY, WAITPKG, TSX, XFD, PT, CET, UINTR, LBR, NEVER,
    TSC_DEADLINE, TME, PCONFIG, DCA
};

static const struct {
    enum msr_feature id;
    u64 xfam;                   /* or a bit of CPUID */
    u32 leaf, sub;
    u8 reg, bit;
} msr_features[] = {
    { WAITPKG, 0, 7, 0, 2, 5 },
    { TSX, 0, 7, 0, 1, 11 },
    { XFD, 0, 0xd, 1, 0, 4 },
    { .id = PT, .xfam = BIT(8) },
    { .id = CET, .xfam = BITS(12, 11) },
    { .id = UINTR, .xfam = BIT(14) },
    { .id = LBR, .xfam = BIT(15) },
    { TSC_DEADLINE, 0, 1, 0, 2, 24 },
    { TME, 0, 7, 0, 2, 13 },
    { PCONFIG, 0, 7, 0, 3, 18 },
    { DCA, 0, 1, 0, 2, 18 },
};

static const struct {
    u32 from, to;
    u8 rd, wr;                  /* enum msr_action */
    u8 feature;
} msr_table[] = {
    { 0x10, 0x10, MSR_NATIVE, MSR_VE, ANY },            /* TSC */
    { 0x48, 0x49, MSR_NATIVE, MSR_NATIVE, ANY },        /* SPEC_CTRL */
    { 0x87, 0x87, MSR_GP_VE, MSR_GP_VE, PCONFIG },      /* key ids */
    { 0x8c, 0x8f, MSR_GP, MSR_GP, ANY },                /* SGX */
    { 0x98, 0x9b, MSR_GP, MSR_GP, ANY },                /* SEAM, SMM monitor */
    { 0x9e, 0x9e, MSR_GP, MSR_GP, ANY },                /* SMBASE */
    { 0xbc, 0xbc, MSR_NATIVE, MSR_VE, ANY },            /* MISC_PACKAGE_CTLS */
    { 0xbd, 0xbd, MSR_OWN, MSR_VE, ANY },               /* XAPIC_DISABLE */
    { 0xc1, 0xc8, MSR_NATIVE, MSR_NATIVE, NEVER },      /* PMU */
    { 0xe1, 0xe1, MSR_NATIVE, MSR_NATIVE, WAITPKG },
    { 0x10a, 0x10a, MSR_OWN, MSR_GP, ANY },             /* ARCH_CAPABILITIES */
    { 0x10b, 0x10b, MSR_NATIVE, MSR_NATIVE, ANY },      /* FLUSH_CMD */
    { 0x122, 0x122, MSR_NATIVE, MSR_NATIVE, TSX },
    { 0x174, 0x176, MSR_NATIVE, MSR_NATIVE, ANY },      /* SYSENTER */
    { 0x186, 0x18d, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x195, 0x195, MSR_GP, MSR_GP, ANY },
    { 0x1a0, 0x1a0, MSR_OWN, MSR_VE, ANY },             /* MISC_ENABLE */
    { 0x1a6, 0x1a7, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x1c4, 0x1c5, MSR_NATIVE, MSR_NATIVE, XFD },
    { 0x1d9, 0x1d9, MSR_OWN, MSR_OWN, ANY },            /* DEBUGCTL */
    { 0x1f8, 0x1fa, MSR_GP_VE, MSR_GP_VE, DCA },
    { 0x276, 0x276, MSR_GP, MSR_GP, ANY },
    { 0x277, 0x277, MSR_NATIVE, MSR_NATIVE, ANY },      /* PAT */
    { 0x309, 0x310, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x329, 0x329, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x345, 0x345, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x38d, 0x392, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x3f1, 0x3f2, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x3f6, 0x3f7, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x480, 0x492, MSR_VE, MSR_GP, ANY },              /* VMX */
    { 0x4c1, 0x4c8, MSR_NATIVE, MSR_NATIVE, NEVER },
    { 0x500, 0x500, MSR_GP, MSR_GP, ANY },
    { 0x560, 0x561, MSR_NATIVE, MSR_NATIVE, PT },
    { 0x570, 0x572, MSR_NATIVE, MSR_NATIVE, PT },
    { 0x580, 0x587, MSR_NATIVE, MSR_NATIVE, PT },
    { 0x600, 0x600, MSR_NATIVE, MSR_NATIVE, ANY },      /* DS_AREA */
    { 0x6a0, 0x6a0, MSR_NATIVE, MSR_NATIVE, CET },
    { 0x6a2, 0x6a2, MSR_NATIVE, MSR_NATIVE, CET },
    { 0x6a4, 0x6a8, MSR_NATIVE, MSR_NATIVE, CET },
    { 0x6e0, 0x6e0, MSR_GP_VE, MSR_GP_VE, TSC_DEADLINE },
    { 0x6e1, 0x6e1, MSR_NATIVE, MSR_NATIVE, NEVER },    /* PKRS */
    { 0x800, 0x801, MSR_GP, MSR_GP, ANY },
    { 0x802, 0x802, MSR_OWN, MSR_GP, ANY },             /* x2APIC id */
    { 0x804, 0x807, MSR_GP, MSR_GP, ANY },
    { 0x808, 0x80c, MSR_NATIVE, MSR_NATIVE, ANY },      /* TPR, PPR, EOI */
    { 0x80e, 0x80e, MSR_NATIVE, MSR_NATIVE, ANY },
    { 0x810, 0x827, MSR_NATIVE, MSR_NATIVE, ANY },      /* ISR, TMR, IRR */
    { 0x829, 0x82e, MSR_GP, MSR_GP, ANY },
    { 0x831, 0x831, MSR_GP, MSR_GP, ANY },
    { 0x83f, 0x83f, MSR_NATIVE, MSR_NATIVE, ANY },      /* SELF_IPI */
    { 0x840, 0x8ff, MSR_GP, MSR_GP, ANY },
    { 0x981, 0x984, MSR_GP_VE, MSR_GP_VE, TME },
    { 0x985, 0x98a, MSR_NATIVE, MSR_NATIVE, UINTR },
    { 0xc80, 0xc80, MSR_NATIVE, MSR_VE, ANY },
    { 0xd90, 0xd90, MSR_GP, MSR_GP, ANY },
    { 0xd93, 0xd93, MSR_GP, MSR_GP, ANY },
    { 0xda0, 0xda0, MSR_NATIVE, MSR_OWN, ANY },         /* XSS */
    { 0x1200, 0x12ff, MSR_NATIVE, MSR_NATIVE, LBR },
    { 0x14ce, 0x14cf, MSR_NATIVE, MSR_NATIVE, LBR },
    { 0x1500, 0x16ff, MSR_NATIVE, MSR_NATIVE, LBR },
    { 0x1b01, 0x1b01, MSR_NATIVE, MSR_NATIVE, ANY },
    { 0xc0000080, 0xc0000080, MSR_NATIVE, MSR_OWN, ANY },    /* EFER */
    { 0xc0000081, 0xc0000082, MSR_NATIVE, MSR_NATIVE, ANY }, /* STAR, LSTAR */
    { 0xc0000084, 0xc0000084, MSR_NATIVE, MSR_NATIVE, ANY }, /* FMASK */
    { 0xc0000100, 0xc0000103, MSR_NATIVE, MSR_NATIVE, ANY },
};

static bool msr_has_feature(const struct td *td, enum msr_feature id)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msr_features); i++) {
        if (msr_features[i].id == id) {
            return msr_features[i].xfam
                   ? td->tdcs->xfam & msr_features[i].xfam
                   : cpuid_bit(td, msr_features[i].leaf, msr_features[i].sub,
                               msr_features[i].reg, msr_features[i].bit);
        }
    }
    return id == ANY;
}

enum msr_action msr_action(const struct td *td, u32 msr, bool write)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msr_table); i++) {
        enum msr_action a = write ? msr_table[i].wr : msr_table[i].rd;

        if (msr < msr_table[i].from || msr > msr_table[i].to) {
            continue;
        }
        if (a == MSR_GP_VE) {
            return msr_has_feature(td, msr_table[i].feature) ? MSR_VE : MSR_GP;
        }
        return a == MSR_NATIVE && !msr_has_feature(td, msr_table[i].feature)
               ? MSR_GP : a;
    }
    return MSR_VE;
}

/* Four bitmaps: reads of low and of high MSRs, then writes */
static void msr_allow(u8 *bitmaps, u32 msr, bool write)
{
    u32 bit = (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0) +
              (write ? 0x4000 : 0);

    bitmaps[bit / 8] &= ~(1u << (bit % 8));
}

void msr_init_bitmaps(const struct td *td, u8 *bitmaps)
{
    memset(bitmaps, 0xff, PAGE_SIZE);
    for (unsigned i = 0; i < ARRAY_SIZE(msr_table); i++) {
        for (u32 msr = msr_table[i].from; msr <= msr_table[i].to; msr++) {
            for (unsigned write = 0; write < 2; write++) {
                if (msr_action(td, msr, write) == MSR_NATIVE) {
                    msr_allow(bitmaps, msr, write);
                }
            }
        }
    }
}
