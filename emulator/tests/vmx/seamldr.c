/*
 * VMX tests: a host of the P-SEAMLDR, with two processors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "seamldr.h"

struct params PAGE_ALIGNED params;
u8 PAGE_ALIGNED sigstruct[PAGE];
struct info info;
u64 vmxon_status[2];

static mem64 ap_status, ap_leaf, ap_operand;

u64 loader(u64 leaf, u64 cx)
{
    struct td_regs r = { .r = { [RAX] = leaf, [RCX] = cx, [RDX] = 7 } };
    u64 flags;

    trap()->vec = NO_TRAP;
    flags = seam_call(&r);
    if (trap()->vec != NO_TRAP ||
        ((leaf & BIT(63)) && (r.r[RCX] != cx || r.r[RDX] != 7))) {
        check(false, "SEAMCALL %lx: exception %d, RCX %lx, RDX %lx", leaf,
              trap()->vec, r.r[RCX], r.r[RDX]);
    }
    return flags & 1 ? FAIL_INVALID : r.r[RAX];
}

/* Without the other processor, no program can go on. */
static void want(bool good, const char *what)
{
    if (!good) {
        check(false, "%s", what);
        test_exit();
    }
}

static void ap_call(void)
{
    ap_status = loader(ap_leaf, ap_operand);
}

void ap_begins(void (*fn)(void))
{
    ap_work = fn;
}

void ap_ends(void)
{
    want(td_ap_wait(), "the other processor");
}

u64 on_ap(u64 leaf, u64 cx)
{
    ap_leaf = leaf;
    ap_operand = cx;
    ap_begins(ap_call);
    ap_ends();
    return ap_status;
}

void both_start(void)
{
    vmx_enable();
    vmxon_status[0] = vmxon(vm_region(0));
    want(td_ap_start(), "the other processor has started");
    vmxon_status[1] = td_ap_vmxon;
}

u64 remaining(void)
{
    u64 status = loader(SEAMLDR_INFO, (u64)&info);

    return status ? status : info.remaining;
}

void fill_params(u64 scenario, const struct image *from)
{
    u32 i;

    memset(&params, 0, sizeof(params));
    params.scenario = scenario;
    memcpy(sigstruct, from->sigstruct, PAGE);
    params.sigstruct = (u64)sigstruct;
    params.nr_pages = from->nr_pages;
    for (i = 0; i < from->nr_pages; i++) {
        params.page[i] = (u64)from->pages + i * PAGE;
    }
}

u64 install(void)
{
    u64 status = loader(SEAMLDR_INSTALL, (u64)&params);

    return status ? status : on_ap(SEAMLDR_INSTALL, (u64)&params);
}

bool module_there(void)
{
    return loader(TDH_SYS_RD, 0) != FAIL_INVALID;
}
