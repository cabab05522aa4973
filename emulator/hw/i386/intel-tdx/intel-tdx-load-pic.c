/*
 * Intel TDX platform: the loader of position-independent TDX modules
 *
 * It leaves behind what such modules find on hardware. For all processors:
 * SYSINFO_TABLE, a region of data, of which each processor has a part and the
 * module the rest, and keyholes, pages that the module maps by writing to their
 * entries. Each processor has a stack and a shadow stack.
 *
 * The number of pages, and where the image has its IDT, GDT and exception
 * handlers, are in FILE.layout, as a signed module has them in its signature.
 * Linear addresses are the same each time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qapi/error.h"
#include "elf.h"
#include "cpu.h"
#include "tcg/seam-hooks.h"
#include "intel-tdx-internal.h"
#include "intel-tdx-load.h"

/* Linear addresses. Entries of keyholes are in pages of user mode. */
#define PIC_DATA        (SEAM_BASE + 1 * GiB)
#define PIC_STACKS      (SEAM_BASE + 2 * GiB)
#define PIC_KEYHOLES    (SEAM_BASE + 3 * GiB)
#define PIC_SYSINFO     (SEAM_BASE + 4 * GiB)
#define PIC_KEYHOLE_PTES 0x100000000ULL
#define PIC_LP_KEYHOLES 128

/* SYSINFO_TABLE, offsets: what firmware has found, ... */
#define INFO_LPS        8
#define INFO_SOCKETS    12
#define INFO_FMS        16      /* of each socket: CPUID leaf 1, EAX */
#define INFO_NO_SMRR2   64
#define INFO_NO_MAC     65
#define INFO_CMRS       128
/* ... and what the loader has made of it */
#define INFO_STATUS     2048
#define INFO_CODE       2056    /* base and size, as the other regions */
#define INFO_DATA       2072
#define INFO_STACKS     2088
#define INFO_KEYHOLES   2104
#define INFO_PTES       2120
#define INFO_STACK_PAGES 2136   /* less one, as the next */
#define INFO_LP_PAGES   2144
#define INFO_HV         2152
#define INFO_MIN_HV     2154
#define INFO_NO_DOWNGRADE 2156
#define INFO_HANDOFF_PAGES 2158 /* less one */
#define INFO_MAX_FMS    8
#define INFO_LOADED     1

/* The page with the module's tables, and the handlers of exceptions */
#define TABLES_IDT      0
#define TABLES_GDT      2048
#define TABLES_VECTORS  32
#define HANDLER_SIZE    16
#define GATE_PRESENT    (1 << 15)       /* in bytes 4 and 5 */

typedef struct Layout {
    uint64_t tables, handlers;          /* offsets in the image; 0: none */
    uint64_t stack_pages, lp_pages, global_pages, handoff_pages;
    uint64_t hv, min_hv, no_downgrade;  /* handoff versions */
} Layout;

static bool layout_value(GKeyFile *file, const char *key, uint64_t max,
                         uint64_t *val, Error **errp)
{
    g_autofree char *text = g_key_file_get_value(file, "layout", key, NULL);

    if (text && (qemu_strtou64(g_strstrip(text), NULL, 0, val) || *val > max)) {
        error_setg(errp, "%s is not a number up to %" PRIu64, key, max);
        return false;
    }
    return true;
}

static bool layout_read(TdxLoader *l, Layout *y, Error **errp)
{
    g_autofree char *name = g_strconcat(l->s->module, ".layout", NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) err = NULL;
    uint64_t image = l->image_end - SEAM_BASE - PAGE;
    const struct {
        const char *key;
        uint64_t max, *val;
    } values[] = {
        { "tables", image, &y->tables },
        { "handlers", image, &y->handlers },
        { "stack-pages", 256, &y->stack_pages },
        { "lp-pages", 256, &y->lp_pages },
        { "global-pages", 1024, &y->global_pages },
        { "handoff-pages", 1024, &y->handoff_pages },
        { "handoff-version", UINT16_MAX, &y->hv },
        { "min-handoff-version", UINT16_MAX, &y->min_hv },
        { "no-downgrade", 1, &y->no_downgrade },
    };
    int i;

    if (!l->s->layout) {
        error_setg(errp, "%s: not found", name);
        return false;
    }
    if (!g_key_file_load_from_data(file, l->s->layout, -1, G_KEY_FILE_NONE,
                                   &err)) {
        error_setg(errp, "%s: %s", name, err->message);
        return false;
    }
    for (i = 0; i < ARRAY_SIZE(values); i++) {
        if (!layout_value(file, values[i].key, values[i].max, values[i].val,
                          errp)) {
            error_prepend(errp, "%s: ", name);
            return false;
        }
    }
    if (!y->stack_pages || !y->lp_pages || !y->global_pages ||
        !y->handoff_pages || y->tables % PAGE) {
        error_setg(errp, "%s: a number of pages is 0, or tables are not a page",
                   name);
        return false;
    }
    return true;
}

/* The image's memory at an offset, up to the end of a page; or NULL */
static uint8_t *image_at(TdxLoader *l, uint64_t offset, unsigned int size)
{
    uint64_t va = SEAM_BASE + offset, pte;
    hwaddr table;

    if (offset >= l->image_end - SEAM_BASE || offset % PAGE + size > PAGE) {
        return NULL;
    }
    table = tdx_load_table(l, va, 0);
    if (l->full) {
        return NULL;
    }
    pte = ldq_le_p(l->ram + table + ((va >> 12) & 0x1ff) * 8);
    return pte & PTE_P ? l->ram + (pte & MAKE_64BIT_MASK(12, 40)) -
                         TDX_SEAMRR_BASE + va % PAGE : NULL;
}

static bool relocate_at(TdxLoader *l, uint64_t rela)
{
    uint8_t *r = image_at(l, rela, 8), *info = image_at(l, rela + 8, 8);
    uint8_t *addend = image_at(l, rela + 16, 8), *at;

    if (!r || !info || !addend ||
        ELF64_R_TYPE(ldq_le_p(info)) != R_X86_64_RELATIVE) {
        return false;
    }
    at = image_at(l, ldq_le_p(r), 8);
    if (at) {
        stq_le_p(at, SEAM_BASE + ldq_le_p(addend));
    }
    return at;
}

static bool relocate(TdxLoader *l)
{
    uint64_t rela = 0, size = 0, at;

    for (at = 0; at + 16 <= l->dynamic_size; at += 16) {
        uint8_t *tag = image_at(l, l->dynamic + at, 8);
        uint8_t *val = image_at(l, l->dynamic + at + 8, 8);

        if (!tag || !val) {
            return false;
        }
        if (ldq_le_p(tag) == DT_RELA) {
            rela = ldq_le_p(val);
        } else if (ldq_le_p(tag) == DT_RELASZ) {
            size = ldq_le_p(val);
        }
    }
    if (size > SEAM_IMAGE_SIZE) {
        return false;
    }
    for (at = 0; at + sizeof(Elf64_Rela) <= size; at += sizeof(Elf64_Rela)) {
        if (!relocate_at(l, rela + at)) {
            return false;
        }
    }
    return true;
}

/* A module's gates have no offset: it is not known where the image will be. */
static void fill_gates(TdxLoader *l, const Layout *y)
{
    uint8_t *idt = y->tables ? image_at(l, y->tables, PAGE) : NULL;
    int n;

    for (n = 0; idt && n < TABLES_VECTORS; n++) {
        uint8_t *gate = idt + TABLES_IDT + n * 16;
        uint64_t to = SEAM_BASE + y->handlers + n * HANDLER_SIZE;

        if (lduw_le_p(gate + 4) & GATE_PRESENT) {
            stw_le_p(gate, to);
            stw_le_p(gate + 6, to >> 16);
            stl_le_p(gate + 8, to >> 32);
        }
    }
}

static void write_region(uint8_t *info, int at, uint64_t base, uint64_t size)
{
    stq_le_p(info + at, base);
    stq_le_p(info + at + 8, size);
}

static void write_sysinfo(TdxLoader *l, const Layout *y)
{
    IntelTdxState *s = l->s;
    uint8_t *info = l->ram;
    unsigned int i;
    uint64_t ptes = DIV_ROUND_UP(s->nr_lps * PIC_LP_KEYHOLES * 8, PAGE) * PAGE;

    stl_le_p(info + INFO_LPS, s->nr_lps);
    stl_le_p(info + INFO_SOCKETS, s->nr_packages);
    for (i = 0; i < MIN(s->nr_packages, INFO_MAX_FMS); i++) {
        stl_le_p(info + INFO_FMS + 4 * i,
                 X86_CPU(first_cpu)->env.cpuid_version);
    }
    info[INFO_NO_SMRR2] = 1;
    info[INFO_NO_MAC] = 1;
    for (i = 0; i < ARRAY_SIZE(s->cmr); i++) {
        write_region(info, INFO_CMRS + 16 * i, s->cmr[i].base, s->cmr[i].size);
    }
    stq_le_p(info + INFO_STATUS, INFO_LOADED);
    write_region(info, INFO_CODE, SEAM_BASE, l->image_end - SEAM_BASE);
    write_region(info, INFO_DATA, PIC_DATA,
                 (y->handoff_pages + s->nr_lps * y->lp_pages +
                  y->global_pages) * PAGE);
    write_region(info, INFO_STACKS, PIC_STACKS,
                 s->nr_lps * (y->stack_pages + 1) * PAGE);
    write_region(info, INFO_KEYHOLES, PIC_KEYHOLES,
                 s->nr_lps * PIC_LP_KEYHOLES * PAGE);
    write_region(info, INFO_PTES, PIC_KEYHOLE_PTES, ptes);
    stq_le_p(info + INFO_STACK_PAGES, y->stack_pages - 1);
    stq_le_p(info + INFO_LP_PAGES, y->lp_pages - 1);
    stw_le_p(info + INFO_HV, y->hv);
    stw_le_p(info + INFO_MIN_HV, y->min_hv);
    info[INFO_NO_DOWNGRADE] = y->no_downgrade;
    stw_le_p(info + INFO_HANDOFF_PAGES, y->handoff_pages - 1);
    tdx_load_map(l, PIC_SYSINFO, 0, PAGE, PTE_P | PTE_A | PTE_NX);
}

/* A shadow stack is read-only and dirty. It is not used: there is no CET. */
static void map_stack(TdxLoader *l, const Layout *y, unsigned int n)
{
    uint64_t va = PIC_STACKS + n * (y->stack_pages + 1) * PAGE;
    uint64_t size = y->stack_pages * PAGE;

    tdx_load_map(l, va, tdx_load_alloc(l, size), size, PTE_DATA);
    tdx_load_map(l, va + size, tdx_load_alloc(l, PAGE), PAGE,
                 PTE_DATA & ~PTE_W);
}

static void map_keyholes(TdxLoader *l)
{
    uint64_t pages = (uint64_t)l->s->nr_lps * PIC_LP_KEYHOLES, at;

    for (at = 0; at < pages && !l->full; at += 512) {
        hwaddr table = tdx_load_table(l, PIC_KEYHOLES + at * PAGE, 0);

        tdx_load_map(l, PIC_KEYHOLE_PTES + at * 8, table, PAGE,
                     PTE_DATA | PTE_U);
    }
}

static void write_vmcs(TdxLoader *l, const Layout *y, unsigned int n)
{
    uint64_t stack = y->stack_pages * PAGE;
    uint64_t tables = y->tables ? SEAM_BASE + y->tables : 0;
    X86SeamEntry entry = {
        .rip = l->entry,
        .rsp = PIC_STACKS + n * (stack + PAGE) + stack,
        .ssp = PIC_STACKS + (n + 1) * (stack + PAGE) - 8,
        .cr3 = TDX_SEAMRR_BASE + l->pml4,
        .cr4 = CR4_SMAP_MASK,
        .fs_base = PIC_SYSINFO,
        .gs_base = PIC_DATA + (y->handoff_pages + n * y->lp_pages) * PAGE,
        .idt_base = tables ? tables + TABLES_IDT : 0,
        .gdt_base = tables ? tables + TABLES_GDT : 0,
    };

    x86_seam_init_vmcs(l->ram + intel_tdx_transfer_vmcs(l->s, n) -
                       TDX_SEAMRR_BASE, &entry);
}

bool tdx_load_pic(TdxLoader *l, Error **errp)
{
    Layout y = {
        .stack_pages = 16,
        .lp_pages = 1,
        .global_pages = 32,
        .handoff_pages = 1,
    };
    uint64_t size;
    unsigned int n;

    if (l->full) {
        return true;
    }
    if (l->entry < SEAM_BASE || l->entry >= l->image_end) {
        error_setg(errp, "%s: its entry is not within it", l->s->module);
        return false;
    }
    if (!layout_read(l, &y, errp)) {
        return false;
    }
    if (!relocate(l)) {
        error_setg(errp, "%s: a relocation is not relative to the image, not "
                   "within it, or not within a page", l->s->module);
        return false;
    }
    fill_gates(l, &y);
    write_sysinfo(l, &y);
    size = ldq_le_p(l->ram + INFO_DATA + 8);
    tdx_load_map(l, PIC_DATA, tdx_load_alloc(l, size), size, PTE_DATA);
    map_keyholes(l);
    for (n = 0; n < l->s->nr_lps && !l->full; n++) {
        map_stack(l, &y, n);
        write_vmcs(l, &y, n);
    }
    return true;
}
