/*
 * VMX tests: the P-SEAMLDR, and what it refuses
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "seamldr.h"

#define NO_SEAMRET_INVD_VMCS    BIT(60)
#define MSR_SEAMRR_PHYS_BASE    0x1400
#define MANY_TIMES          50000000

/* Over a reset */
static struct {
    u64 magic, status;
    u8 mrseam[48];
} *const kept = (void *)0x20000000;
#define MAGIC               0x72646c6d61657370ULL

static mem64 ap_calls, ap_refused, ap_others;
static mem32 ap_stop;

static void test_info(void)
{
    static const u64 bad[] = {
        8, 128, 0x1000 - 128, 0xa0000, 0xfee00000, 0xe0000000, BIT(40),
        (u64)-256, BIT(46), BIT(51), BIT(63),
    };
    u64 seamrr = rdmsr(MSR_SEAMRR_PHYS_BASE) & ~0xfffULL;
    unsigned int i;

    check(rdmsr(MSR_VMX_BASIC) & NO_SEAMRET_INVD_VMCS,
          "IA32_VMX_BASIC: the current VMCS stays");
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        check_eq(loader(SEAMLDR_INFO, bad[i]), EBADPARAM,
                 "SEAMLDR.INFO to %lx", bad[i]);
    }
    check_eq(loader(SEAMLDR_INFO, seamrr), EBADPARAM,
             "SEAMLDR.INFO to SEAMRR");
    check_eq(loader(SEAMLDR_INFO, (u64)&info | BIT(46)), EBADPARAM,
             "SEAMLDR.INFO with a key id");
    check_eq(remaining(), 31, "updates that are left");
    check_eq(info.vendor, 0x8086, "the vendor");
    check_eq(info.version, 0, "the version");
    check_eq(info.major * 100 + info.minor, 105, "1.5");
    check_eq(info.seam_ready, 1, "a module is there");
    check_eq(info.p_seam_ready, 1, "the P-SEAMLDR is there");
    check_eq(info.tcb_svn[0], 1, "the module's SVN");
    check(memcmp(info.mrseam, IMAGE(0)->sigstruct + SIG_HASH, 48),
          "MRSEAM is that of another module");
    check(!memcmp(info.mrseam, kept->mrseam, 48),
          "it is the one of before the reset");
    check_eq(loader(BIT(63) | 3, 0), EBADPARAM, "a leaf that is none");
    check_eq(loader(~0ULL, 0), EBADPARAM, "another one");
}

/* The loader has key id 0, and takes lines that have another one. */
static void test_key_ids(void)
{
    static u64 PAGE_ALIGNED page[512];
    struct info *in = (struct info *)page;
    mem64 *pte = host_pte((u64)page);
    int i;

    *pte = (u64)page | BIT(46) | PTE_P | PTE_W;
    flush_tlb();
    fill_params(LOAD, IMAGE(0));
    for (i = 0; i < 512; i++) {
        ((mem64 *)page)[i] = ((u64 *)&params)[i];
    }
    *pte = (u64)page | PTE_P | PTE_W;
    flush_tlb();
    check_eq(loader(SEAMLDR_INSTALL, (u64)page), EBADPARAM,
             "parameters that were written with key id 1");
    check_eq(loader(SEAMLDR_INFO, (u64)&in[3]), 0,
             "SEAMLDR.INFO to lines with key id 1");
    check_eq(in[3].vendor, 0x8086, "which have key id 0 then");
    check_eq(in[3].p_seam_ready, 1, "all of them");
    check(((u32 *)page)[30] != params.nr_pages, "the others have theirs");
}

/* One value of SEAMLDR_PARAMS */
static const struct {
    const char *what;
    u32 at, size;
    u64 val;
} bad_params[] = {
    { "version", 0, 4, 1 },
    { "scenario", 4, 4, 2 },
    { "scenario with its highest bit", 4, 4, BIT(31) },
    { "SIGSTRUCT is not aligned", 8, 8, 0x10001800 },
    { "SIGSTRUCT in no memory", 8, 8, 0xfee00000 },
    { "SIGSTRUCT below 1 MiB", 8, 8, 0x1000 },
    { "reserved", 16, 1, 1 },
    { "reserved, the last one", 119, 1, 1 },
    { "no pages", 120, 8, 0 },
    { "too many pages", 120, 8, MAX_PAGES + 1 },
    { "far too many pages", 120, 8, BIT(61) },
    { "a page that is not aligned", 128, 8, 0x10002008 },
    { "a page that wraps", 136, 8, -4096ULL },
    { "a page in no memory", 128, 8, BIT(45) },
    { "a page with a key id", 136, 8, 0x10003000 | BIT(47) },
    { "a page in SEAMRR", 136, 8, BIT(46) - LARGE },
    { "the last page", 128 + 8 * 20, 8, 0xfee00000 },
};

static void test_params(void)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad_params); i++) {
        fill_params(LOAD, IMAGE(0));
        memcpy((u8 *)&params + bad_params[i].at, &bad_params[i].val,
               bad_params[i].size);
        check_eq(loader(SEAMLDR_INSTALL, (u64)&params), EBADPARAM,
                 "SEAMLDR.INSTALL: %s", bad_params[i].what);
    }
    fill_params(LOAD, IMAGE(0));
    check_eq(loader(SEAMLDR_INSTALL, (u64)&params + 8), EBADPARAM,
             "parameters that are not aligned");
    check_eq(loader(SEAMLDR_INSTALL, 0xfee00000), EBADPARAM,
             "parameters in no memory");
    check(module_there(), "no installation has begun");
}

static void test_session(void)
{
    fill_params(LOAD, IMAGE(0));
    check_eq(loader(SEAMLDR_INSTALL, (u64)&params), 0,
             "SEAMLDR.INSTALL on one processor");
    check(!module_there(), "no module can be called there");
    check_eq(on_ap(TDH_SYS_RD, 0), FAIL_INVALID, "nor on the other one");
    remaining();
    check_eq(info.seam_ready, 0, "SEAMLDR.INFO: no module");
    check_eq(on_ap(SEAMLDR_SHUTDOWN, 0), EBADCALL, "SEAMLDR.SHUTDOWN");
    check_eq(loader(SEAMLDR_INSTALL, (u64)&params), EBADCALL,
             "SEAMLDR.INSTALL again there");
    check(module_there(), "which ends the installation");

    check_eq(on_ap(SEAMLDR_INSTALL, (u64)&params), 0, "it begins anew");
    params.scenario = UPDATE;
    check_eq(loader(SEAMLDR_INSTALL, (u64)&params), EBADPARAM,
             "other parameters on the other processor");
    check(module_there(), "which end it");

    /* All but the last call succeed; nothing has changed after that. */
    fill_params(UPDATE, IMAGE(0));
    check_eq(install(), EBADCALL, "an update of a module that has not ended");
    check(module_there(), "it is still there");
    check_eq(remaining(), 31, "no update is used up");
}

static const struct {
    const char *what;
    u32 at, size;
    u64 val, status;
} bad_sigstruct[] = {
    { "header type", 0, 4, 1, EBADSIG },
    { "header length", 4, 4, 0, EBADSIG },
    { "header version", 8, 4, 0, EBADSIG },
    { "module for debugging", 12, 4, BIT(31), EBADSIG },
    { "vendor", 16, 4, 0x1022, EBADSIG },
    { "date", 20, 4, 0x20261301, EBADSIG },
    { "date that is no number", 20, 4, 0x2026120a, EBADSIG },
    { "size", 24, 4, 0x201, EBADSIG },
    { "size of the key", 28, 4, 0x61, EBADSIG },
    { "size of the modulus", 32, 4, 0, EBADSIG },
    { "size of the exponent", 36, 4, 3, EBADSIG },
    { "reserved", 40, 1, 1, EBADSIG },
    { "modulus", 128, 1, 1, EBADSIG },
    { "signature", 899, 1, 1, EBADSIG },
    { "hash", SIG_HASH + 47, 1, 0xff, EBADHASH },
    { "SVN", SIG_SVN, 2, 0, EBADSIG },
    { "attributes", 950, 8, BIT(63), EBADSIG },
    { "handoff pages", 990, 2, 0xffff, ENOMEM },
    { "number of processors", 1024, 4, 256, EBADSIG },
    { "as many as there can't be", 1024, 4, BIT(31), EBADSIG },
    { "more", 1024, 4, ~0u, EBADSIG },
    { "no processors", 1024, 4, 0, EUNSUPCPU },
    { "other processors", 1028, 4, 0x806f8, EUNSUPCPU },
};

static void test_sigstruct(void)
{
    unsigned int i;
    u64 hash;

    for (i = 0; i < ARRAY_SIZE(bad_sigstruct); i++) {
        fill_params(LOAD, IMAGE(0));
        memcpy(sigstruct + bad_sigstruct[i].at, &bad_sigstruct[i].val,
               bad_sigstruct[i].size);
        check_eq(install(), bad_sigstruct[i].status, "SEAM_SIGSTRUCT: %s",
                 bad_sigstruct[i].what);
    }
    fill_params(LOAD, IMAGE(0));
    params.page[3] = params.page[4];
    check_eq(install(), EBADHASH, "a page of the module is another one");
    fill_params(LOAD, IMAGE(0));
    params.nr_pages--;
    check_eq(install(), EBADHASH, "a page of the module is missing");
    hash = info.mrseam[0];
    check_eq(remaining(), 31, "no update is used up");
    check_eq(info.mrseam[0], hash, "the module is the one before");
    check(module_there(), "and is there");
}

/* The hash is right, but it is no ELF file that can be loaded. */
static void test_no_modules(void)
{
    const struct image *i = (struct image *)NO_MODULES;
    int n = 0;

    for (; !memcmp(i->signature, "TDX-BLOB", sizeof(i->signature)); n++) {
        fill_params(LOAD, i);
        check_eq(install(), EUNSPECERR, "file %d that is no module", n);
        i = (struct image *)((u64)i + NO_MODULE_SIZE);
    }
    check_eq(n, 15, "number of these files");
    check(module_there(), "the module is there");
}

/* Install another module, begin with a third one, and reset the machine. */
static void reset_once(void)
{
    kept->magic = MAGIC;
    remaining();
    memcpy(kept->mrseam, info.mrseam, 48);
    fill_params(LOAD, IMAGE(1));
    kept->status = install();
    loader(SEAMLDR_INSTALL, (u64)&params);
    outb(0xcf9, 6);
    for (;;) {
        asm volatile("pause");
    }
}

static void ap_infos(void)
{
    static struct info mine;

    while (!ap_stop) {
        u64 status = loader(SEAMLDR_INFO, (u64)&mine);

        ap_calls += status == 0;
        ap_refused += status == FAIL_INVALID;
        ap_others += status != 0 && status != FAIL_INVALID;
    }
}

/* Only one processor is in it at a time; the other one is refused. */
static void test_both(void)
{
    u64 calls = 0, refused = 0;
    int i;

    ap_begins(ap_infos);
    for (i = 0; i < 20000 || (!ap_calls && i < MANY_TIMES); i++) {
        u64 status = loader(SEAMLDR_INFO, (u64)&info);

        calls += status == 0;
        refused += status == FAIL_INVALID;
    }
    ap_stop = 1;
    ap_ends();
    check_eq(ap_others, 0, "status of two processors");
    check_eq(calls + refused, i, "and of this one");
    check(calls && ap_calls, "each of them gets there");
    printf("# %lu calls, %lu refused; %lu and %lu\n", calls, refused,
           (u64)ap_calls, (u64)ap_refused);
}

static void test_shutdown(void)
{
    check_eq(loader(SEAMLDR_SHUTDOWN, 0), 0, "SEAMLDR.SHUTDOWN");
    check_eq(loader(SEAMLDR_SHUTDOWN, 0), EBADCALL, "again there");
    check_eq(loader(SEAMLDR_INFO, (u64)&info), EBADCALL, "SEAMLDR.INFO there");
    check_eq(on_ap(SEAMLDR_INFO, (u64)&info), 0, "SEAMLDR.INFO elsewhere");
    fill_params(LOAD, IMAGE(1));
    check_eq(on_ap(SEAMLDR_INSTALL, (u64)&params), EBADCALL,
             "not all processors can install");
    check_eq(on_ap(SEAMLDR_SHUTDOWN, 0), 0, "SEAMLDR.SHUTDOWN elsewhere");
    check_eq(loader(SEAMLDR_INFO, (u64)&info), FAIL_INVALID,
             "there is no loader");
    check_eq(on_ap(SEAMLDR_SHUTDOWN, 0), FAIL_INVALID, "nor elsewhere");
    check(module_there(), "the module needs none");
}

void test_main(void)
{
    both_start();
    if (kept->magic != MAGIC) {
        reset_once();
    }
    check_eq(vmxon_status[0], VM_OK, "VMXON");
    check_eq(vmxon_status[1], VM_OK, "VMXON on the other processor");
    check_eq(kept->status, 0, "a module was installed before a reset");
    test_info();
    test_key_ids();
    test_params();
    test_session();
    test_sigstruct();
    test_no_modules();
    test_both();
    test_shutdown();
}
