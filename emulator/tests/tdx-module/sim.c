/*
 * Tests of the TDX module: the simulated machine
 *
 * Memory knows the key that each page was written with; the module must never
 * read a page with another one.  A VMCS is a table of fields.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "real/boot.h"
#include "sim.h"

#define SIM_VMCSS       64
#define SIM_FIELDS      0x7000

struct sim sim;
_Thread_local unsigned sim_cur, sim_windows;
static _Thread_local u64 window_pa[SEAM_WINDOWS];
_Thread_local void (*sim_guest)(struct guest_regs *g);
_Thread_local u64 sim_event;

static struct sim_vmcs {
    u64 pa;                     /* with key; 0: not in use */
    int lp;                     /* that it is active on, or -1 */
    bool launched;
    u64 field[SIM_FIELDS];
} vmcss[SIM_VMCSS], *current[SIM_LPS];

_Noreturn void plat_fatal(const char *why)
{
    fprintf(stderr, "FATAL: the module stops: %s\n", why);
    abort();
}

static void sim_require(bool ok, const char *what, u64 v)
{
    if (!ok) {
        fprintf(stderr, "FATAL: %s (0x%llx)\n", what, (unsigned long long)v);
        abort();
    }
}

void sim_reset(void)
{
    if (!sim.mem) {
        sim.mem = mmap(NULL, SIM_MEM, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        sim_require(sim.mem != MAP_FAILED, "no memory", 0);
    } else {
        madvise(sim.mem, SIM_MEM, MADV_DONTNEED);
    }
    u8 *mem = sim.mem;

    sim_cur = sim_windows = 0;
    sim_guest = NULL;

    memset(&sim, 0, sizeof(sim));
    memset(vmcss, 0, sizeof(vmcss));
    memset(current, 0, sizeof(current));
    memset(&module, 0, sizeof(module));
    sim.mem = mem;
    sim.info = (struct plat_info) {
        .seamrr_base = SIM_SEAMRR, .seamrr_size = SIM_SEAMRR_SIZE,
        .num_lps = SIM_LPS, .num_pkgs = SIM_LPS,
        .cmr = { { SIM_CMR, 0x40000000 }, { SIM_CMR + 0x40000000,
                 SIM_SEAMRR - SIM_CMR - 0x40000000 } },
    };
    for (unsigned i = 0; i < SIM_LPS; i++) {
        sim.lp[i].id = sim.lp[i].pkg = i;
    }
    sim.xfam = 0x1a7 | BITS(12, 11) | BITS(7, 5);
    sim.tsc = 1000000000;
    sim.handoff_size = sizeof(sim.handoff);
}

void sim_install(void)
{
    sim.installs++;
    memset(&module, 0, sizeof(module));
    memset(sim.lp, 0, sizeof(sim.lp));
    for (unsigned i = 0; i < SIM_LPS; i++) {
        sim.lp[i].id = sim.lp[i].pkg = i;
    }
}

/* Each module has its own host state for VM exits. */
static u64 sim_host_state(void)
{
    return 1 + sim_cur + SIM_LPS * sim.installs;
}

u8 *sim_mem(u64 pa)
{
    pa &= BIT(SIM_KEY_SHIFT) - 1;
    sim_require(pa < SIM_MEM, "access beyond memory", pa);
    return sim.mem + pa;
}

static bool sim_shared(u16 key)
{
    return key < SIM_FIRST_KEY;
}

void sim_host_write(u64 pa, const void *data, size_t n)
{
    memcpy(sim_mem(pa), data, n);
    sim.key[pa / PAGE_SIZE] = 0;
}

/* A processor has so many, and finds again what is open already. */
static void sim_window(u64 pa)
{
    for (unsigned i = 0; i < sim_windows; i++) {
        if (window_pa[i] == pa) {
            return;
        }
    }
    sim_require(sim_windows < SEAM_WINDOWS, "no window is left", pa);
    window_pa[sim_windows++] = pa;
}

void *plat_map(u64 pa, enum plat_how how)
{
    u16 key = pa >> SIM_KEY_SHIFT;
    u8 *p = sim_mem(pa);
    u16 *tag = &sim.key[(p - sim.mem) / PAGE_SIZE];

    sim_require(aligned(pa, PAGE_SIZE), "unaligned window", pa);
    sim_require(key <= SIM_LAST_KEY, "key id that is none", pa);
    sim_window(pa);
    if (how == PLAT_FRESH) {
        *tag = key;
        memset(p, 0xa5, PAGE_SIZE);
    }
    if (sim_shared(key) && !sim_shared(*tag) && how == PLAT_RO) {
        /* The host has passed a page that is not its own. */
        static u8 noise[PAGE_SIZE];

        memset(noise, 0xd6, sizeof(noise));
        return noise;
    }
    sim_require(*tag == key || (sim_shared(*tag) && sim_shared(key)),
                "page read with a key that it was not written with", pa);
    return p;
}

unsigned plat_mark(void)
{
    return sim_windows;
}

void plat_release(unsigned mark)
{
    sim_require(mark <= sim_windows, "windows are released twice", mark);
    sim_windows = mark;
}

void plat_flush_page(u64 pa)
{
    (void)pa;
    sim.flushed_pages++;
}

void *plat_handoff(u64 *size)
{
    *size = sim.handoff_size;
    return sim.handoff;
}

const struct plat_info *plat_info(void)
{
    return &sim.info;
}

struct lp *plat_lp(void)
{
    return &sim.lp[sim_cur];
}

bool plat_random(u64 *v)
{
    *v = 0x123456789abcdefULL * ++sim.tsc;
    return !sim.no_entropy;
}

u64 plat_rdmsr(u32 msr)
{
    switch (msr) {
    case MSR_TSC_ADJUST:
        return sim.tsc_adjust[sim_cur];
    case MSR_KEYID_PARTITIONING:
        return (SIM_FIRST_KEY - 1) | (u64)SIM_NUM_KEYS << 32;
    case MSR_WBINVDP:
    case MSR_WBNOINVDP:
        return 4;
    case MSR_TME_ACTIVATE:
        return 3 | 6ULL << 32 | 1ULL << 48;
    case MSR_VMX_BASIC:
        return 0x11;
    case MSR_VMX_EPT_VPID_CAP:
        return ~sim.no_ept;
    case MSR_VMX_CR4_FIXED1:
        return BITS(25, 0) & ~CR4_SMXE;
    case MSR_VMX_PROCBASED_CTLS3:
        return sim.no_gpaw ? 0 : ~0ULL;
    }
    /* Capabilities of VMX: everything may be 1 */
    if (msr == MSR_VMX_BASIC + 0xb) {
        return (u64)~sim.no_proc2 << 32;
    }
    return msr > MSR_VMX_BASIC && msr < MSR_VMX_BASIC + 0x13 ? ~0ULL << 32 : 0;
}

void plat_wrmsr(u32 msr, u64 v)
{
    if (msr == MSR_WBNOINVDP || msr == MSR_WBINVDP) {
        sim_require(v < 4, "cache block that is none", v);
        sim.wb_blocks++;
    }
}

void plat_cpuid(u32 leaf, u32 sub, u32 out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    switch (leaf) {
    case 1:
        memset(out, 0xff, 4 * sizeof(out[0]));
        out[0] = SIM_FMS;
        break;
    case 0x15:
        out[0] = 1, out[1] = 40, out[2] = 25000000;
        break;
    case 0xd:
        if (sub == 0) {
            out[0] = sim.xfam & XCR0_COMPONENTS;
        } else if (sub == 1) {
            out[0] = 0xf;
            out[2] = sim.xfam & ~XCR0_COMPONENTS;
        } else if (sim.xfam & BIT(sub)) {
            out[0] = 64 * sub, out[1] = 576 + 256 * sub;
        }
        break;
    case 0x80000008:
        out[0] = 0x3034;
        break;
    default:
        memset(out, 0xff, 4 * sizeof(out[0]));
        break;
    }
}

u64 plat_tsc(void)
{
    return sim.tsc += 1000;
}

bool plat_event_pending(void)
{
    return sim.events && --sim.events == 0;
}

bool plat_program_key(u16 key)
{
    sim_require(!sim_shared(key), "key of the host is programmed", key);
    return !sim.no_key;
}

static struct sim_vmcs *sim_vmcs(u64 pa)
{
    struct sim_vmcs *unused = NULL;

    for (unsigned i = 0; i < SIM_VMCSS; i++) {
        if (vmcss[i].pa == pa) {
            return &vmcss[i];
        }
        if (!vmcss[i].pa) {
            unused = &vmcss[i];
        }
    }
    sim_require(unused, "too many VMCSs", pa);
    unused->pa = pa;
    unused->lp = -1;
    return unused;
}

void plat_vmclear(u64 pa)
{
    struct sim_vmcs *v = sim_vmcs(pa);

    sim_require(v->lp == -1 || v->lp == (int)sim_cur,
                "VMCLEAR of a VMCS that is active elsewhere", pa);
    v->lp = -1;
    v->launched = false;
    if (current[sim_cur] == v) {
        current[sim_cur] = NULL;
    }
}

void plat_vmptrld(u64 pa)
{
    struct sim_vmcs *v = sim_vmcs(pa);
    u16 key = pa >> SIM_KEY_SHIFT;

    sim_require(v->lp == -1 || v->lp == (int)sim_cur,
                "VMPTRLD of a VMCS that is active elsewhere", pa);
    sim_require(*(u32 *)sim_mem(pa) == 0x11, "VMCS without revision", pa);
    sim_require(sim.key[(sim_mem(pa) - sim.mem) / PAGE_SIZE] == key,
                "VMCS with another key", pa);
    v->lp = sim_cur;
    current[sim_cur] = v;
}

u64 plat_vmread(u32 field)
{
    sim_require(current[sim_cur] && field < SIM_FIELDS, "VMREAD", field);
    return current[sim_cur]->field[field];
}

void plat_vmwrite(u32 field, u64 v)
{
    sim_require(current[sim_cur] && field < SIM_FIELDS, "VMWRITE", field);
    current[sim_cur]->field[field] = v;
}

void plat_vmcs_host_state(void)
{
    plat_vmwrite(0x6c14, sim_host_state());
}

/* TDCALL is executed in 64-bit mode. */
void sim_exit(u32 reason, u64 qualification)
{
    if (reason == 77) {
        plat_vmwrite(VMCS_EFER, plat_vmread(VMCS_EFER) | EFER_LMA);
        plat_vmwrite(VMCS_CS_AR, plat_vmread(VMCS_CS_AR) | CS_AR_L);
    }
    plat_vmwrite(VMCS_EXIT_REASON, reason);
    plat_vmwrite(VMCS_QUALIFICATION, qualification);
}

/* Exceptions that have an error code: #DF, #TS to #PF, #AC */
#define SIM_ERROR_CODES     (BIT(8) | BITS(14, 10) | BIT(17))

/* What the processor checks of the event that it is to deliver */
static bool sim_event_ok(const u64 *field)
{
    u64 info = field[VMCS_ENTRY_INTR], block = field[VMCS_INTERRUPTIBILITY];
    bool error = false;

    switch (INTR_TYPE(info)) {
    case 0:
        if (!(field[VMCS_RFLAGS] & RFLAGS_IF) ||
            (block & (BLOCK_BY_STI | BLOCK_BY_MOV_SS))) {
            return false;
        }
        break;
    case INTR_TYPE_NMI:
        /* There are processors that take one after STI; not this one. */
        if (block & BLOCKS_NMI) {
            return false;
        }
        break;
    case INTR_TYPE_EXCEPTION:
        error = (field[VMCS_CR0] & CR0_PE) && (u8)info < 32 &&
                (SIM_ERROR_CODES & BIT((u8)info));
        break;
    }
    return !(info & INTR_ERROR_CODE) == !error;
}

/* ... and of the TD's state, as far as the module writes it */
static bool sim_entry_ok(const u64 *field)
{
    bool code64 = (field[VMCS_EFER] & EFER_LMA) &&
                  (field[VMCS_CS_AR] & CS_AR_L);

    return (code64 || !(field[VMCS_RIP] >> 32)) &&
           !field[VMCS_ACTIVITY] &&
           (!(field[VMCS_ENTRY_INTR] & INTR_VALID) || sim_event_ok(field));
}

bool plat_vmenter(struct guest_regs *g, bool launched)
{
    struct sim_vmcs *v = current[sim_cur];

    sim_require(v && v->launched == launched, "VMLAUNCH or VMRESUME", launched);
    sim_require(v->field[0x6c14] == sim_host_state(),
                "host state of another LP or module", 0);
    if (sim.vmfail) {
        return false;
    }
    v->launched = true;
    if (!sim_entry_ok(v->field)) {
        sim_exit(0x80000021, 0);
        return true;
    }
    /* An event that was injected has been delivered. */
    sim_event = v->field[VMCS_ENTRY_INTR];
    sim_event = sim_event & INTR_VALID ? sim_event : 0;
    v->field[VMCS_IDT_VECTORING] = 0;
    v->field[VMCS_EXIT_INTR] = 0;
    v->field[VMCS_INSTR_LENGTH] = 4;
    sim_exit(1, 0);
    if (sim_guest) {
        sim_guest(g);
    }
    v->field[VMCS_ENTRY_INTR] &= ~INTR_VALID;
    return true;
}

void plat_invept(u64 eptp)
{
    (void)eptp;
    sim.invepts++;
}

void plat_xstate_save(const u64 pa[3], u64 xfam)
{
    (void)xfam;
    for (unsigned i = 0; i < 3; i++) {
        plat_map(pa[i], PLAT_RW);
    }
}

void plat_xstate_load(const u64 pa[3], u64 xfam)
{
    u64 xcomp_bv;

    memcpy(&xcomp_bv, sim_mem(pa[0]) + 520, 8);
    sim_require(xcomp_bv == (BIT(63) | xfam), "XRSTORS", xcomp_bv);
    plat_xstate_save(pa, xfam);
}

void plat_xstate_host(void)
{
}

void plat_xsetbv(u64 xcr0)
{
    sim_require((xcr0 & 1) && !(xcr0 & ~XCR0_COMPONENTS), "XSETBV", xcr0);
}

void plat_seamdb_ref(struct seamdb_ref *ref)
{
    *ref = (struct seamdb_ref) { sim.installs, { 1, 2, 3, 4 } };
}

bool plat_seal_report(struct tdreport *report, const struct seamdb_ref *ref)
{
    memset(report->mac.mac, 0x5a, sizeof(report->mac.mac));
    report->tee_tcb_info[8] = ref->index;
    return !sim.no_report && ref->nonce[3] == 4;
}

u64 plat_verify_report(const struct reportmac *mac)
{
    return mac->mac[0] == 0x5a ? TDX_SUCCESS : TDX_INVALID_REPORTMACSTRUCT;
}
