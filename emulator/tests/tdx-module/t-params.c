/*
 * Tests of the TDX module: TD_PARAMS, and what becomes of them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

#define AT(member)  offsetof(struct td_params, member)

/* One value is wrong. */
static const struct {
    const char *what;
    u16 offset, size;
    u64 value;
    u32 operand;
} bad_params[] = {
    { "reserved attribute", AT(attributes), 8, BIT(1), OPND_ATTRIBUTES },
    { "migratable", AT(attributes), 8, BIT(29), OPND_ATTRIBUTES },
    { "PKS", AT(attributes), 8, BIT(30), OPND_ATTRIBUTES },
    { "PMU", AT(attributes), 8, BIT(63), OPND_ATTRIBUTES },
    { "no x87", AT(xfam), 8, 2, OPND_XFAM },
    { "no SSE", AT(xfam), 8, 1, OPND_XFAM },
    { "some of AVX-512", AT(xfam), 8, 0x27, OPND_XFAM },
    { "AVX-512 without AVX", AT(xfam), 8, 0xe3, OPND_XFAM },
    { "half of CET", AT(xfam), 8, 0x807, OPND_XFAM },
    { "AMX, which is not there", AT(xfam), 8, 0x60007, OPND_XFAM },
    { "unknown component", AT(xfam), 8, BIT(40) | 7, OPND_XFAM },
    { "no vCPU", AT(max_vcpus), 2, 0, OPND_MAX_VCPUS },
    { "577 vCPUs", AT(max_vcpus), 2, 577, OPND_MAX_VCPUS },
    { "L2 VMs", AT(num_l2_vms), 1, 1, OPND_NUM_L2_VMS },
    { "MSR controls", AT(msr_config_ctls), 1, 1, OPND_RDX },
    { "reserved 0", AT(reserved0), 1, 1, OPND_RDX },
    { "reserved 0, end", AT(reserved0) + 3, 1, 1, OPND_RDX },
    { "memory type", AT(eptp_controls), 8, 0 | 3 << 3, OPND_EPTP_CONTROLS },
    { "3 levels", AT(eptp_controls), 8, 6 | 2 << 3, OPND_EPTP_CONTROLS },
    { "6 levels", AT(eptp_controls), 8, 6 | 5 << 3, OPND_EPTP_CONTROLS },
    { "A and D", AT(eptp_controls), 8, 6 | 3 << 3 | 1 << 6,
      OPND_EPTP_CONTROLS },
    { "EPTP address", AT(eptp_controls), 8, 6 | 3 << 3 | 0x1000,
      OPND_EPTP_CONTROLS },
    { "52 bits in 4 levels", AT(config_flags), 8, CONFIG_GPAW,
      OPND_EPTP_CONTROLS },
    { "MAXPA", AT(config_flags), 8, BIT(3), OPND_EXEC_CONTROLS },
    { "reserved flag", AT(config_flags), 8, BIT(63), OPND_EXEC_CONTROLS },
    { "slow TSC", AT(tsc_frequency), 2, 3, OPND_TSC_FREQUENCY },
    { "fast TSC", AT(tsc_frequency), 2, 401, OPND_TSC_FREQUENCY },
    { "reserved 1", AT(reserved1), 1, 1, OPND_RDX },
    { "reserved 1, end", AT(reserved1) + 37, 1, 0x80, OPND_RDX },
    { "ARCH_CAPABILITIES", AT(arch_capabilities_config), 8, 1,
      OPND_ARCH_CAPABILITIES },
    { "reserved 2", AT(reserved2) + 23, 1, 1, OPND_RDX },
    { "reserved 3", AT(reserved3), 1, 1, OPND_RDX },
    { "reserved 3, end", 1023, 1, 1, OPND_RDX },
    /* Leaf 1: steppings and CLFLUSH are configurable, this bit is not. */
    { "CPUID 1.EAX", AT(cpuid[0][0]), 4, BIT(14), OPND_CPUID_CONFIG },
    { "CPUID 1.EBX", AT(cpuid[0][1]), 4, BIT(31), OPND_CPUID_CONFIG },
    { "CPUID 1.EAX", AT(cpuid[0][0]), 4, SIM_FMS + 1, OPND_CPUID_CONFIG },
    { "CPUID 4.EDX", AT(cpuid[1][3]), 4, BIT(2), OPND_CPUID_CONFIG },
    { "CPUID 7.EAX", AT(cpuid[5][0]), 4, 1, OPND_CPUID_CONFIG },
    { "CPUID 0x1f.EDX", AT(cpuid[9][3]), 4, 1, OPND_CPUID_CONFIG },
    /* Allowed, but not by this processor */
    { "CPUID 0x80000008.EBX", AT(cpuid[15][1]), 4, BIT(9),
      OPND_CPUID_CONFIG },
    { "CPUID 0x80000008.EAX", AT(cpuid[15][0]), 4, BIT(8),
      OPND_CPUID_CONFIG },
};

static void test_bad_params(void)
{
    struct td_params p;
    struct ttd td;

    td_to(&td, ST_CX);
    for (unsigned i = 0; i < ARRAY_SIZE(bad_params); i++) {
        fill_params(&p);
        memcpy((u8 *)&p + bad_params[i].offset, &bad_params[i].value,
               bad_params[i].size);
        check(__FILE__, __LINE__, bad_params[i].what, mng_init(&td, &p),
              INVALID(bad_params[i].operand));
    }
    fill_params(&p);
    p.cpuid[9][3] = 1;
    mng_init(&td, &p);
    CHECK(out.r[R_CX], 0x1f);
    CHECK(call(TDH_MNG_INIT, td.tdr, HOST_PAGE(2) + 512, 0, 0),
          INVALID(OPND_RDX));
    CHECK(call(TDH_MNG_INIT, td.tdr, SIM_SEAMRR, 0, 0), INVALID(OPND_RDX));
    CHECK(call(TDH_MNG_INIT, td.tdr, 5ULL << 46 | HOST_PAGE(2), 0, 0),
          INVALID(OPND_RDX));
    /* What this processor cannot do */
    fill_params(&p);
    p.eptp_controls = 6 | 4 << 3;
    sim.no_ept = BIT(7);
    CHECK(mng_init(&td, &p), INVALID(OPND_EPTP_CONTROLS));
    sim.no_ept = 0;
    p.config_flags = CONFIG_GPAW;
    sim.no_gpaw = true;
    CHECK(mng_init(&td, &p), INVALID(OPND_EXEC_CONTROLS));
    sim.no_gpaw = false;
    /* Nothing of that has changed the TD. */
    fill_params(&p);
    OK(mng_init(&td, &p));
    CHECK(mng_init(&td, &p), TDX_OP_STATE_INCORRECT);
}

static u64 mng_rd(struct ttd *td, u64 id)
{
    OK(call(TDH_MNG_RD, td->tdr, id, 0, 0));
    return out.r[R_8];
}

static void test_good_params(void)
{
    struct td_params p;
    struct ttd td;

    td_to(&td, ST_CX);
    fill_params(&p);
    p.xfam = 0x18e7;
    p.tsc_frequency = 100;      /* 2.5 GHz on a processor of 1 GHz */
    p.eptp_controls = 6 | 4 << 3;
    p.config_flags = CONFIG_GPAW;
    p.max_vcpus = 576;
    p.cpuid[0][0] = SIM_FMS;
    /* Threads, cores */
    p.cpuid[9][0] = 1, p.cpuid[9][1] = 2, p.cpuid[9][2] = 0x100;
    p.cpuid[10][0] = 4, p.cpuid[10][1] = 8, p.cpuid[10][2] = 0x201;
    OK(mng_init(&td, &p));
    CHECK(mng_rd(&td, 0x1110000300000000), p.attributes);
    CHECK(mng_rd(&td, 0x1110000300000001), p.xfam);
    CHECK(mng_rd(&td, 0x1110000200000002), 576);
    CHECK(mng_rd(&td, 0x1110000000000003), 1);
    CHECK(mng_rd(&td, 0x1110000300000004) & 0xfff, 6 | 4 << 3);
    CHECK(mng_rd(&td, 0x111000010000000c), 100);
    /* 2.5 in 16.48 fixed point */
    CHECK(mng_rd(&td, 0x111000030000000b), 5ULL << 47);
    CHECK(mng_rd(&td, 0x9110000300000016), CONFIG_GPAW);
    CHECK(mng_rd(&td, 0x9110000000000019), 1);
    /* As KVM asks: no size, no context */
    CHECK(mng_rd(&td, 17ULL << 56 | 11), 5ULL << 47);
    /* CPUID 1: no subleaf */
    CHECK((u32)mng_rd(&td, 0x9410000300000000 | 1 << 9 | 1 << 8), SIM_FMS);
    /* 7.0: AVX-512, allowed but not asked for, is not there */
    CHECK(mng_rd(&td, 0x9410000300000000 | 7 << 9) >> 32 & BIT(16), 0);
    /* 0xd.0: x87, SSE, AVX, AVX-512 */
    CHECK((u32)mng_rd(&td, 0x9410000300000000 | 0xd << 9), 0xe7);
    CHECK((u32)mng_rd(&td, 0x9410000300000001 | 0xd << 9 | 1 << 1), 0x1800);
    /* 0x80000008 */
    CHECK(mng_rd(&td, 0x9410000300010000 | 8 << 9 | 1 << 8) & 0xff, 0x34);
    CHECK(call(TDH_MNG_RD, td.tdr, 0x9410000300000000 | 6 << 9 | 1 << 8, 0,
               0), TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(call(TDH_MNG_RD, td.tdr, 0x9410000300000000 | 0x40 << 9, 0, 0),
          TDX_METADATA_FIELD_NOT_READABLE);
}

void test_params(void)
{
    test_bad_params();
    test_good_params();
}
