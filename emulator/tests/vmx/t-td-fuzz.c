/*
 * VMX tests: random SEAMCALLs of a host, random TDCALLs of its TDs
 *
 * The module may refuse anything, but neither it nor the processor may get into
 * a state that ends the machine.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define LIVES       6
#define CALLS       3000
#define HKID        41
#define PRIVATE_GPA     0x40000000ULL
#define PRIVATE_PAGES   16
#define X_EPT       48
#define TDH_SYS_INFO        32
#define TDH_SYS_RD          34
#define TDH_SYS_RDALL       37
#define TDH_SYS_SHUTDOWN    52
#define TDH_SYS_DISABLE     69
#define TDG_VP_CPUIDVE_SET  5
#define TDG_VP_WR           10
#define FIELD_TDX_FEATURES0 0x0a00000300000008ULL

static struct td td;
static u64 entered, exits, ok;
static u64 PAGE_ALIGNED scratch[512];

static u64 pick(u64 n)
{
    return random64() % n;
}

/* In the TD: an operand that may be good */
static u64 tdg_operand(void)
{
    switch (pick(6)) {
    case 0:
        return 0;
    case 1:
        return (u64)scratch;
    case 2:
        return (u64)scratch + 64 * pick(64);
    case 3:
        return PRIVATE_GPA + PAGE * pick(PRIVATE_PAGES);
    case 4:
        /* No private address: the host would have to have a page there. */
        return BIT(47) << pick(17);
    default:
        return random64() | BIT(63);
    }
}

static bool tdg_allowed(u64 leaf)
{
    /* CPUID has to work, and TDCALLs that end it are no fault. */
    return leaf != TDG_VP_CPUIDVE_SET && leaf != TDG_VP_WR &&
           leaf != TDG_VM_WR;
}

static void tdg_fuzz(u64 index)
{
    struct td_regs r;
    u64 leaf;
    int i;

    for (;;) {
        for (i = 0; i < 16; i++) {
            r.r[i] = tdg_operand();
        }
        leaf = pick(26);
        if (tdg_allowed(leaf)) {
            r.r[RAX] = leaf | (pick(20) ? 0 : 1ULL << 16);
            td_call(&r);
        }
        tdg_say(1, 0);
    }
}

/* The host's operands: pages of the TD, of nobody, of the host; guest pages */
static u64 operand(void)
{
    switch (pick(10)) {
    case 0:
        return td.tdr;
    case 1:
        return td.vp[0];
    case 2:
        return td.first + PAGE * pick((td.next - td.first) / PAGE);
    case 3:
        return td.next + PAGE * pick(64);
    case 4:
        return (u64)scratch;
    case 5:
        return PRIVATE_GPA + PAGE * pick(PRIVATE_PAGES) + pick(2);
    case 6:
        return (PRIVATE_GPA & -(PAGE << 9 * pick(4))) + pick(5);
    case 7:
        return HKID + pick(3);
    case 8:
        return 1ULL << pick(64);
    default:
        return random64();
    }
}

/* Those that end the module, or write to memory of this program */
static bool allowed(u64 leaf)
{
    return leaf != TDH_SYS_RDALL && leaf != TDH_SYS_INFO &&
           leaf != TDH_SYS_SHUTDOWN &&
           leaf != TDH_SYS_DISABLE &&
           /* Nothing more happens to a TD after this one. */
           (leaf != TDH_MNG_VPFLUSHDONE || !pick(50));
}

static void random_call(void)
{
    struct td_regs r;
    u64 leaf = pick(3) ? pick(46) : TDH_VP_ENTER, ret;
    int i;

    for (i = 0; i < 16; i++) {
        r.r[i] = operand();
    }
    if (leaf == TDH_VP_ENTER) {
        r.r[RCX] = td.vp[0];
        entered++;
    }
    if (!allowed(leaf)) {
        return;
    }
    r.r[RAX] = leaf | (pick(20) ? 0 : 1ULL << 16);
    ret = seam_regs(&r);
    ok += !ret;
    exits += leaf == TDH_VP_ENTER && ret == X_TDCALL;
    if (leaf == TDH_VP_ENTER && ret == X_EPT) {
        /* It goes on only with a page. */
        seam(TDH_MEM_PAGE_AUG, r.r[R8], td.tdr, td_page(&td), 0);
    }
}

/* Give the key id back, whatever has become of the TD. */
static void end(void)
{
    int i;

    seam(TDH_VP_FLUSH, td.vp[0], 0, 0, 0);
    seam(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0);
    for (i = 0; i < 3; i++) {
        seam(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0);
    }
    seam(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0);
    td.next += 64 * PAGE;
    check(td_reclaim(&td), "all pages of the TD are reclaimed");
}

void test_main(void)
{
    int life, i;

    td_module_start();
    for (life = 0; life < LIVES; life++) {
        td_build(&td, HKID + 4 * life, tdg_fuzz, 0);
        *td_shared(&td, 0x50000000ULL) = (u64)scratch | EPT_WB | 7;
        td_sept(&td, PRIVATE_GPA, 0);
        for (i = 0; i < CALLS; i++) {
            random_call();
        }
        end();
    }
    printf("# %lu entries, %lu TDCALL exits, %lu calls succeeded\n", entered,
           exits, ok);
    check(exits > 1000, "TDs have run");
    check_eq(seam(TDH_SYS_RD, 0, FIELD_TDX_FEATURES0, 0, 0), 0,
             "the module answers");
}
