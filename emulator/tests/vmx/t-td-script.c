/*
 * VMX tests: a script of SEAMCALLs, and what a module answers until it is ready
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "script.h"

#define TDH_SYS_INFO            32
#define TDH_SYS_RD              34
#define TDH_SYS_RDALL           37
#define TDH_SYS_SHUTDOWN        52
#define TDH_SYS_UPDATE          53
#define TDH_SYS_DISABLE         69
#define LEAVES                  80

static u64 PAGE_ALIGNED list[512], info[512], buffer[512];

/* Leaves that end something, or that one machine can do once */
static bool harmless(u64 leaf)
{
    return leaf != TDH_SYS_SHUTDOWN && leaf != TDH_SYS_DISABLE &&
           leaf != TDH_SYS_INIT && leaf != TDH_SYS_LP_INIT &&
           leaf != TDH_SYS_KEY_CONFIG && leaf != 44 /* LP.SHUTDOWN */;
}

static void all_leaves(const char *what)
{
    u64 leaf;

    stage = what;
    for (leaf = 0; leaf < LEAVES; leaf++) {
        if (harmless(leaf)) {
            call(leaf, 0, 0, 0, 0);
        }
    }
}

static void read_fields(void)
{
    stage = "sys.rd";
    check(call_fields(TDH_SYS_RD, 0) > 10, "the module has fields");
    call(TDH_SYS_RD, 1, 0, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000300000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000200000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000310000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x8a00000300000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000300004008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a04000300000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x3f00000300000008ULL, 0, 0);
    call(TDH_SYS_RDALL, 0, (u64)buffer + 8, NO_FIELD, 0);
    call(TDH_SYS_RDALL, 0, BIT(60), NO_FIELD, 0);
    call(TDH_SYS_RDALL, 0, (u64)buffer, 5, 0);
    call(TDH_SYS_RDALL, 0, (u64)buffer, NO_FIELD, 0);
    call(TDH_SYS_INFO, (u64)buffer, 1024, (u64)list, 32);
    call(TDH_SYS_UPDATE, 0, 0, 0, 0);
}

static void good_info(void)
{
    td_tdmr_info(info);
    memset(list, 0, sizeof(list));
    list[0] = (u64)info;
}

/* One word of TDMR_INFO is something else. */
static void bad_info(int word, u64 val)
{
    good_info();
    info[word] = val;
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
}

static void bad_reserved(u64 offset, u64 size, u64 offset2, u64 size2)
{
    good_info();
    info[8] = offset;
    info[9] = size;
    info[10] = offset2;
    info[11] = size2;
    /* What follows makes it fail, if this does not. */
    info[12] = 123;
    info[13] = PAGE;
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
}

static void test_config(void)
{
    stage = "sys.config";
    good_info();
    call(TDH_SYS_CONFIG, (u64)list + 8, 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, BIT(52), 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, BIT(46), 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, BIT(51), 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 0, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 65, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, 0, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, 31, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, 64, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID | BIT(16), 0);
    list[0] = (u64)info + 8;
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    list[0] = BIT(52);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    bad_info(0, TDMR + PAGE);
    bad_info(0, BIT(46));
    bad_info(0, 64ULL << 30);
    bad_info(1, 0);
    bad_info(1, BIT(30) + PAGE);
    bad_info(1, BIT(40));
    bad_info(2, PAMT + 1);
    bad_info(2, TDMR);
    bad_info(2, BIT(46));
    bad_info(2, 64ULL << 30);
    bad_info(3, 0);
    bad_info(3, 1);
    bad_info(5, 0);
    bad_info(6, PAMT + LARGE);
    bad_info(7, PAGE);
    bad_reserved(1, PAGE, 0, 0);
    bad_reserved(PAGE, 1, 0, 0);
    bad_reserved(0, BIT(31), 0, 0);
    bad_reserved(PAGE, PAGE, 0, PAGE);
    bad_reserved(0, 2 * PAGE, PAGE, PAGE);
    bad_reserved(0, 0, PAGE, PAGE);
    good_info();
    list[1] = (u64)info;
    call(TDH_SYS_CONFIG, (u64)list, 2, GLOBAL_HKID, 0);
    good_info();
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, TDMR, 0, 0, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    all_leaves("config");
    call(TDH_SYS_KEY_CONFIG, 1, 0, 0, 0);
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
}

static void test_tdmr(void)
{
    stage = "tdmr";
    call(TDH_SYS_TDMR_INIT, TDMR + PAGE, 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, TDMR + BIT(30), 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, TDMR | 40ULL << 46, 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, BIT(52), 0, 0, 0);
    call(TDH_MNG_CREATE, TDMR, SCRIPT_HKID, 0, 0);
    td_tdmr_init("the TDMR is initialized");
    call(TDH_SYS_TDMR_INIT, TDMR, 0, 0, 0);
}

void test_main(void)
{
    vmx_on();
    all_leaves("new");
    call(TDH_SYS_LP_INIT, 0, 0, 0, 0);
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
    call(TDH_SYS_INIT, 1, 0, 0, 0);
    call(TDH_SYS_INIT | VERSION(1), 0, 0, 0, 0);
    call(TDH_SYS_INIT | BIT(24), 0, 0, 0, 0);
    call(TDH_SYS_INIT | BIT(62), 0, 0, 0, 0);
    check_seam(call(TDH_SYS_INIT, 0, 0, 0, 0), 0, "TDH.SYS.INIT");
    call(TDH_SYS_INIT, 0, 0, 0, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    check_seam(call(TDH_SYS_LP_INIT, 0, 0, 0, 0), 0, "TDH.SYS.LP.INIT");
    call(TDH_SYS_LP_INIT, 0, 0, 0, 0);
    all_leaves("init");
    read_fields();
    test_config();
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
    all_leaves("ready");
    call(TDH_SYS_INIT, 0, 0, 0, 0);
    call(TDH_SYS_LP_INIT, 0, 0, 0, 0);
    test_tdmr();
    all_leaves("tdmr");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
