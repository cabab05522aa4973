/*
 * TDX module: CPUID of TDs, the table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"

#define F       0xffffffffu
#define NO      CPUID_NO_SUB
#define ZERO(...)   .zero = { __VA_ARGS__ }
#define ONE(...)    .one = { __VA_ARGS__ }
#define CONFIG(...) .config = { __VA_ARGS__ }
#define ALLOW(...)  .allow = { __VA_ARGS__ }
#define NONE(l, s)  { l, s, ZERO(F, F, F, F) }

/* One level of the topology, of leaf 0x1f and of 0xb, which is made of it */
#define TOPOLOGY(s)                                                         \
    { 0x1f, s, ZERO(0xffffffe0, 0xffff0000, 0xffff0000, F),                 \
      CONFIG(0x1f, 0xffff, 0xffff) }
#define TOPOLOGY_B(s)                                                       \
    { 0xb, s, ZERO(F, F, F, F) }
/* Size and offset of a component of the extended state */
#define XSTATE(s)   { 0xd, s, ZERO(0, 0, 0, F) }
#define CACHE(s)                                                            \
    { 4, s, ZERO(0x3c00, 0, 0, 4),                                          \
      CONFIG(0xffffc3ff, 0xfffff000, F, 0xfffffffb) }

/*
 * Some bits that each processor with TDX has are fixed, so that TDs see them
 * on a processor without them, too: VME, DS, DTES64, DS-CPL and PDCM of leaf
 * 1, FDP_EXCPTN_ONLY, "no FCS and FDS" and BUS_LOCK_DETECT of leaf 7.
 */
const struct cpuid_row cpuid_table[] = {
    { 0, NO, ZERO(0xffffffdc), ONE(CPUID_LAST) },
    { 1, NO, ZERO(0xf000c000, 0xff0000ff, 0x08010060, 0x40120400),
      ONE(0, 0, 0x80008014, 0x00200202), CONFIG(0x0fff3fff, 0x00ff0000),
      ALLOW(0, 0, 0x31044d88, 0xb8440000) },
    { 2, NO, ZERO(0xff0100fe, F, F, F), ONE(0x00feff01) },
    NONE(3, NO),
    CACHE(0), CACHE(1), CACHE(2),
    { 4, 3, ZERO(0x3c00, 0, 0, 0xfffffff8),
      CONFIG(0xffffc3ff, 0xfffff000, F, 7) },
    NONE(4, 4),
    { 5, NO, ZERO(0xffff0000, 0xffff0000, 0xfffffffc) },
    { 6, NO, .ve = true },
    { 7, 0, ZERO(0, 0x00404006, 0x643e8010, 0x002298c3),
      ONE(0, 0x00002040, 0x01000000),
      ALLOW(0, 0xdc2b9b18, 0x02417f65, 0x0005411c) },
    { 7, 1, ZERO(0xfb77e20f, F, F, 0xfffdfbcf),
      ALLOW(0x04881db0, 0, 0, 0x00020430) },
    { 7, 2, ZERO(F, F, F, 0xffffffc0), ALLOW(0, 0, 0, 0x28) },
    NONE(8, NO),
    /* There is no PMU for TDs. */
    NONE(0xa, NO),
    TOPOLOGY_B(0), TOPOLOGY_B(1), TOPOLOGY_B(2),
    { 0xd, 0, ZERO(0xfff9fd18, F, 0, F) },
    { 0xd, 1, ZERO(0xffffffe0, F, 0xffff26ff, F) },
    XSTATE(2), XSTATE(3), XSTATE(4), XSTATE(5), XSTATE(6), XSTATE(7),
    XSTATE(8), XSTATE(9), XSTATE(10), XSTATE(11), XSTATE(12), XSTATE(13),
    XSTATE(14), XSTATE(15), XSTATE(16), XSTATE(17), XSTATE(18),
    NONE(0xe, NO), NONE(0x11, NO), NONE(0x12, NO), NONE(0x13, NO),
    { 0x14, 0, ZERO(0, 0xfffffe00, 0x7ffffff0, F) },
    { 0x14, 1, ZERO(0xfff8, 0, F, F) },
    /* Crystal of 25 MHz; EBX is the TD's frequency in units of that */
    { 0x15, NO, ZERO(F & ~1u, F, ~0x017d7840u, F), ONE(1, 0, 0x017d7840) },
    NONE(0x19, NO),
    { 0x1a, NO, ZERO(0, F, F, F) },
    { 0x1c, NO, ALLOW(0xff) },
    { 0x1d, 0, ZERO(0) }, { 0x1d, 1, ZERO(0) }, { 0x1e, NO, ZERO(0) },
    TOPOLOGY(0), TOPOLOGY(1), TOPOLOGY(2), TOPOLOGY(3), TOPOLOGY(4),
    TOPOLOGY(5),
    NONE(0x20, NO),
    /* "IntelTDX    " */
    { 0x21, 0, ZERO(F, F, F, F), ONE(0, 0x65746e49, 0x20202020, 0x5844546c) },
    NONE(0x22, NO),
    NONE(0x23, 0), NONE(0x23, 1), NONE(0x23, 2), NONE(0x23, 3),
    { 0x80000000, NO, ZERO(0x7ffffff7, F, F, F), ONE(CPUID_LAST_EXTENDED) },
    { 0x80000001, NO, ZERO(F, F, 0xfffffede, 0xd3efffff) },
    { 0x80000006, NO, .ve = true },
    { 0x80000007, NO, ZERO(F, F, F, 0xfffffeff) },
    { 0x80000008, NO, ZERO(0xffff0000, 0xfffffdff, F, F),
      CONFIG(0xff), ALLOW(0, 0x200) },
};

const unsigned cpuid_rows = ARRAY_SIZE(cpuid_table);
_Static_assert(ARRAY_SIZE(cpuid_table) <= MAX_CPUID_VALUES, "CPUID values");
