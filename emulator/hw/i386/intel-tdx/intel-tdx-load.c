/*
 * Intel TDX platform: the loader of the TDX module
 *
 * It leaves in SEAMRR what a machine's firmware and P-SEAMLDR leave there: the
 * module, page tables, for each logical processor a SEAM transfer VMCS, a stack
 * and an area of its own, and information about the machine. The layout is that
 * of the module in pc-bios/seam (real/boot.h), unless a module is
 * position-independent (intel-tdx-load-pic.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "exec/exec-all.h"
#include "elf.h"
#include "cpu.h"
#include "tcg/seam-hooks.h"
#include "intel-tdx-internal.h"
#include "intel-tdx-load.h"

/* Linear addresses. Each logical processor has 64 KiB, and 2 MiB of windows. */
#define SEAM_INFO       (SEAM_BASE + 1 * GiB)
#define SEAM_HANDOFF    (SEAM_INFO + 2 * MiB)
#define SEAM_LP(n)      (SEAM_BASE + 2 * GiB + (n) * 64 * KiB)
#define SEAM_STACK(n)   (SEAM_LP(n) + 16 * KiB)
#define SEAM_STACK_SIZE (16 * KiB)
#define SEAM_PTES(n)    (SEAM_LP(n) + 48 * KiB)
#define SEAM_WINDOWS(n) (SEAM_BASE + 3 * GiB + (n) * 2 * MiB)

#define INFO_MAGIC      "TDX-SEAM"
#define INFO_VERSION    2
#define INFO_CMRS       40      /* offset */
#define INFO_HANDOFF    552     /* address, size */

hwaddr tdx_load_alloc(TdxLoader *l, uint64_t size)
{
    hwaddr offset = l->used;

    size = ROUND_UP(size, PAGE);
    if (size > TDX_HANDOFF_OFFSET - l->used) {
        l->full = true;
        return 0;
    }
    l->used += size;
    return offset;
}

/* The table below an entry, as an offset in SEAMRR */
static hwaddr next_table(TdxLoader *l, hwaddr table, unsigned int index,
                         uint64_t user)
{
    uint8_t *e = l->ram + table + index * 8;
    hwaddr next;

    if (ldq_le_p(e)) {
        return (ldq_le_p(e) & MAKE_64BIT_MASK(12, 40)) - TDX_SEAMRR_BASE;
    }
    next = tdx_load_alloc(l, PAGE);
    if (l->full) {
        return 0;
    }
    stq_le_p(e, (TDX_SEAMRR_BASE + next) | PTE_P | PTE_W | PTE_A | user);
    return next;
}

/* USER: PTE_U if pages of the table may have it, otherwise 0 */
hwaddr tdx_load_table(TdxLoader *l, uint64_t va, uint64_t user)
{
    hwaddr table = l->pml4;
    int level;

    for (level = 3; level > 0 && !l->full; level--) {
        table = next_table(l, table, (va >> (12 + 9 * level)) & 0x1ff, user);
    }
    return table;
}

void tdx_load_map(TdxLoader *l, uint64_t va, hwaddr offset, uint64_t size,
                  uint64_t flags)
{
    uint64_t at;

    for (at = 0; at < size && !l->full; at += PAGE) {
        hwaddr table = tdx_load_table(l, va + at, flags & PTE_U);

        if (l->full) {
            return;
        }
        stq_le_p(l->ram + table + (((va + at) >> 12) & 0x1ff) * 8,
                 (TDX_SEAMRR_BASE + offset + at) | flags);
    }
}

static bool load_segment(TdxLoader *l, const Elf64_Phdr *ph, uint64_t base,
                         Error **errp)
{
    const GByteArray *image = l->image;
    uint64_t offset = le64_to_cpu(ph->p_offset);
    uint64_t va = base + le64_to_cpu(ph->p_vaddr);
    uint64_t filesz = le64_to_cpu(ph->p_filesz);
    uint64_t memsz = le64_to_cpu(ph->p_memsz);
    uint32_t prot = le32_to_cpu(ph->p_flags);
    uint64_t flags = PTE_P | PTE_A;
    hwaddr at;

    if (offset > image->len || filesz > image->len - offset ||
        filesz > memsz || va % PAGE || va < SEAM_BASE ||
        va - SEAM_BASE > SEAM_IMAGE_SIZE ||
        memsz > SEAM_IMAGE_SIZE - (va - SEAM_BASE)) {
        error_setg(errp, "%s: a segment is not within the file or the module",
                   l->s->module);
        return false;
    }
    if (prot & PF_W) {
        flags |= PTE_W | PTE_D;
    }
    if (!(prot & PF_X)) {
        flags |= PTE_NX;
    }
    at = tdx_load_alloc(l, memsz);
    if (!l->full) {
        memcpy(l->ram + at, image->data + offset, filesz);
        tdx_load_map(l, va, at, memsz, flags);
        l->image_end = MAX(l->image_end, va + ROUND_UP(memsz, PAGE));
    }
    return true;
}

static bool load_image(TdxLoader *l, Error **errp)
{
    const GByteArray *image = l->image;
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image->data;
    uint64_t phoff, base;
    unsigned int i;

    if (image->len < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
        eh->e_ident[EI_CLASS] != ELFCLASS64 ||
        le16_to_cpu(eh->e_machine) != EM_X86_64 ||
        le16_to_cpu(eh->e_phentsize) != sizeof(Elf64_Phdr)) {
        error_setg(errp, "%s: no TDX module", l->s->module);
        return false;
    }
    l->pic = le16_to_cpu(eh->e_type) == ET_DYN;
    l->entry = le64_to_cpu(eh->e_entry);
    base = l->pic ? SEAM_BASE : 0;
    l->entry += base;
    if (!l->pic && l->entry != SEAM_BASE) {
        error_setg(errp, "%s: no TDX module", l->s->module);
        return false;
    }
    phoff = le64_to_cpu(eh->e_phoff);
    if (phoff > image->len || le16_to_cpu(eh->e_phnum) * sizeof(Elf64_Phdr) >
                              image->len - phoff) {
        error_setg(errp, "%s: program headers beyond its end", l->s->module);
        return false;
    }
    for (i = 0; i < le16_to_cpu(eh->e_phnum); i++) {
        Elf64_Phdr ph;

        memcpy(&ph, image->data + phoff + i * sizeof(ph), sizeof(ph));
        if (le32_to_cpu(ph.p_type) == PT_LOAD &&
            !load_segment(l, &ph, base, errp)) {
            return false;
        }
        if (l->pic && le32_to_cpu(ph.p_type) == PT_DYNAMIC) {
            l->dynamic = le64_to_cpu(ph.p_vaddr);
            l->dynamic_size = le64_to_cpu(ph.p_memsz);
        }
    }
    return true;
}

static void write_info(TdxLoader *l)
{
    IntelTdxState *s = l->s;
    uint8_t *info = l->ram;
    int i;

    memcpy(info, INFO_MAGIC, 8);
    stl_le_p(info + 8, INFO_VERSION);
    stq_le_p(info + 16, TDX_SEAMRR_BASE);
    stq_le_p(info + 24, TDX_SEAMRR_SIZE);
    stl_le_p(info + 32, s->nr_lps);
    stl_le_p(info + 36, s->nr_packages);
    for (i = 0; i < ARRAY_SIZE(s->cmr); i++) {
        stq_le_p(info + INFO_CMRS + 16 * i, s->cmr[i].base);
        stq_le_p(info + INFO_CMRS + 16 * i + 8, s->cmr[i].size);
    }
    stq_le_p(info + INFO_HANDOFF, SEAM_HANDOFF);
    stq_le_p(info + INFO_HANDOFF + 8, TDX_HANDOFF_SIZE);
    tdx_load_map(l, SEAM_INFO, 0, PAGE, PTE_P | PTE_A | PTE_NX);
    tdx_load_map(l, SEAM_HANDOFF, TDX_HANDOFF_OFFSET, TDX_HANDOFF_SIZE,
                 PTE_DATA);
}

static void write_lp(TdxLoader *l, unsigned int n)
{
    IntelTdxState *s = l->s;
    X86SeamEntry entry = {
        .rip = SEAM_BASE,
        .rsp = SEAM_STACK(n) + SEAM_STACK_SIZE,
        .cr3 = TDX_SEAMRR_BASE + l->pml4,
        .fs_base = SEAM_INFO,
        .gs_base = SEAM_LP(n),
    };
    hwaddr area = tdx_load_alloc(l, PAGE);
    hwaddr stack = tdx_load_alloc(l, SEAM_STACK_SIZE);
    hwaddr windows = tdx_load_table(l, SEAM_WINDOWS(n), 0);

    if (l->full) {
        return;
    }
    stq_le_p(l->ram + area, SEAM_LP(n));
    stq_le_p(l->ram + area + 8, SEAM_WINDOWS(n));
    stq_le_p(l->ram + area + 16, SEAM_PTES(n));
    stl_le_p(l->ram + area + 24, n);
    stl_le_p(l->ram + area + 28, intel_tdx_package(s, n));
    tdx_load_map(l, SEAM_LP(n), area, PAGE, PTE_DATA);
    tdx_load_map(l, SEAM_STACK(n), stack, SEAM_STACK_SIZE, PTE_DATA);
    tdx_load_map(l, SEAM_PTES(n), windows, PAGE, PTE_DATA);
    x86_seam_init_vmcs(l->ram + intel_tdx_transfer_vmcs(s, n) -
                       TDX_SEAMRR_BASE, &entry);
}

bool intel_tdx_build(IntelTdxState *s, const GByteArray *image, uint8_t *ram,
                     Error **errp)
{
    TdxLoader l = {
        .s = s,
        .image = image,
        .ram = ram,
        .used = (1 + s->nr_lps) * PAGE,
    };
    unsigned int n;

    l.pml4 = tdx_load_alloc(&l, PAGE);
    if (!load_image(&l, errp)) {
        return false;
    }
    if (l.pic) {
        if (!l.full && !tdx_load_pic(&l, errp)) {
            return false;
        }
    } else {
        write_info(&l);
        for (n = 0; n < s->nr_lps; n++) {
            write_lp(&l, n);
        }
    }
    if (l.full) {
        error_setg(errp, "%s: SEAMRR is too small for it", s->module);
        return false;
    }
    return true;
}

bool intel_tdx_load(IntelTdxState *s, Error **errp)
{
    uint8_t *ram = memory_region_get_ram_ptr(&s->seamrr);
    bool ok;

    memset(ram, 0, TDX_SEAMRR_SIZE);
    ok = intel_tdx_build(s, s->image, ram, errp);
    intel_tdx_seamrr_changed(s);
    return ok;
}

void intel_tdx_seamrr_changed(IntelTdxState *s)
{
    ram_addr_t start = memory_region_get_ram_addr(&s->seamrr);

    tb_invalidate_phys_range(start, start + TDX_SEAMRR_SIZE - 1);
    memory_region_set_dirty(&s->seamrr, 0, TDX_SEAMRR_SIZE);
}
