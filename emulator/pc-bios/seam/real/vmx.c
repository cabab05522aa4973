/*
 * TDX module: VMX and SEAMOPS
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "boot.h"
#include "../vmcs.h"

/* SEAMOPS leaves and results */
#define SEAMOPS_SEAMDB_GETREF       4
#define SEAMOPS_SEAMDB_REPORT       5
#define SEAMOPS_SEAMVERIFYREPORT    6
#define SEAMOPS_INVALID_CPUSVN      4

void plat_vmclear(u64 pa)
{
    bool fail;

    asm volatile("vmclear %1" : "=@ccna" (fail) : "m" (pa) : "memory");
    require(!fail);
}

void plat_vmptrld(u64 pa)
{
    bool fail;

    asm volatile("vmptrld %1" : "=@ccna" (fail) : "m" (pa) : "memory");
    require(!fail);
}

u64 plat_vmread(u32 field)
{
    u64 v = 0;
    bool fail;

    asm volatile("vmread %2, %1" : "=@ccna" (fail), "+r" (v)
                 : "r" ((u64)field));
    require(!fail);
    return v;
}

void plat_vmwrite(u32 field, u64 v)
{
    bool fail;

    asm volatile("vmwrite %1, %2" : "=@ccna" (fail)
                 : "r" (v), "r" ((u64)field) : "memory");
    require(!fail);
}

void plat_invept(u64 eptp)
{
    struct {
        u64 eptp, zero;
    } d = { eptp, 0 };
    bool fail;

    asm volatile("invept %1, %2" : "=@ccna" (fail)
                 : "m" (d), "r" (1ULL) : "memory");
    require(!fail);
}

static void vmx_write_bases(void)
{
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) gdt, idt;
    u64 fs, gs;

    asm volatile("sgdt %0" : "=m" (gdt));
    asm volatile("sidt %0" : "=m" (idt));
    asm volatile("rdfsbase %0" : "=r" (fs));
    asm volatile("rdgsbase %0" : "=r" (gs));
    plat_vmwrite(0x6c06, fs);
    plat_vmwrite(0x6c08, gs);
    plat_vmwrite(0x6c0a, 0);        /* TR */
    plat_vmwrite(0x6c0c, gdt.base);
    plat_vmwrite(0x6c0e, idt.base);
}

void plat_vmcs_host_state(void)
{
    u64 cr0, cr3, cr4;
    u16 cs, ss, ds, es, tr;

    asm volatile("mov %%cr0, %0" : "=r" (cr0));
    asm volatile("mov %%cr3, %0" : "=r" (cr3));
    asm volatile("mov %%cr4, %0" : "=r" (cr4));
    asm volatile("mov %%cs, %0" : "=r" (cs));
    asm volatile("mov %%ss, %0" : "=r" (ss));
    asm volatile("mov %%ds, %0" : "=r" (ds));
    asm volatile("mov %%es, %0" : "=r" (es));
    asm volatile("str %0" : "=r" (tr));
    plat_vmwrite(0x6c00, cr0);
    plat_vmwrite(0x6c02, cr3);
    plat_vmwrite(0x6c04, cr4);
    plat_vmwrite(0x0c00, es);
    plat_vmwrite(0x0c02, cs);
    plat_vmwrite(0x0c04, ss);
    plat_vmwrite(0x0c06, ds);
    plat_vmwrite(0x0c08, 0);
    plat_vmwrite(0x0c0a, 0);
    plat_vmwrite(0x0c0c, tr);
    plat_vmwrite(0x2c00, plat_rdmsr(0x277));
    plat_vmwrite(0x2c02, plat_rdmsr(MSR_EFER));
    plat_vmwrite(0x4c00, 0);        /* SYSENTER */
    plat_vmwrite(0x6c10, 0);
    plat_vmwrite(0x6c12, 0);
    vmx_write_bases();
}

/* Registers that VM entries and exits do not switch */
bool plat_vmenter(struct guest_regs *g, bool launched)
{
    bool ok;

    asm volatile("mov %0, %%cr2" : : "r" (g->cr2));
    asm volatile("mov %0, %%dr0" : : "r" (g->dr[0]));
    asm volatile("mov %0, %%dr1" : : "r" (g->dr[1]));
    asm volatile("mov %0, %%dr2" : : "r" (g->dr[2]));
    asm volatile("mov %0, %%dr3" : : "r" (g->dr[3]));
    asm volatile("mov %0, %%dr6" : : "r" (g->dr6));
    ok = seam_vmenter(g, launched);
    asm volatile("mov %%cr2, %0" : "=r" (g->cr2));
    asm volatile("mov %%dr0, %0" : "=r" (g->dr[0]));
    asm volatile("mov %%dr1, %0" : "=r" (g->dr[1]));
    asm volatile("mov %%dr2, %0" : "=r" (g->dr[2]));
    asm volatile("mov %%dr3, %0" : "=r" (g->dr[3]));
    asm volatile("mov %%dr6, %0" : "=r" (g->dr6));
    return ok;
}

void plat_seamdb_ref(struct seamdb_ref *ref)
{
    u64 ret = SEAMOPS_SEAMDB_GETREF;
    register u64 r10 asm("r10");
    register u64 r11 asm("r11");
    register u64 r12 asm("r12");
    register u64 r13 asm("r13");
    register u64 r14 asm("r14");

    asm volatile(".byte 0x66, 0x0f, 0x01, 0xce"
                 : "+a" (ret), "=r" (r10), "=r" (r11), "=r" (r12), "=r" (r13),
                   "=r" (r14) : : "r15", "memory", "cc");
    *ref = (struct seamdb_ref) { r10, { r11, r12, r13, r14 } };
}

/* REPORTMACSTRUCT and TEE_TCB_INFO are the first 512 bytes of a report. */
bool plat_seal_report(struct tdreport *report, const struct seamdb_ref *ref)
{
    static const u64 align = 512;
    u8 buffer[2 * 512], data[128 + 64], hash[64 + 64];
    u8 *out = (u8 *)(((u64)buffer + align - 1) & ~(align - 1));
    u8 *in = (u8 *)(((u64)data + 127) & ~127ULL);
    u8 *info = (u8 *)(((u64)hash + 63) & ~63ULL);
    /* They are valid only from their assignment to the instruction. */
    register u64 r8 asm("r8");
    register u64 r9 asm("r9");
    register u64 r10 asm("r10");
    register u64 r11 asm("r11");
    register u64 r12 asm("r12");
    register u64 r13 asm("r13");
    register u64 r14 asm("r14");
    u64 ret = SEAMOPS_SEAMDB_REPORT;
    u32 type = report->mac.type | report->mac.subtype << 8 |
               report->mac.version << 16;

    memcpy(in, report->mac.report_data, sizeof(report->mac.report_data));
    memcpy(info, report->mac.tee_info_hash, sizeof(report->mac.tee_info_hash));
    r8 = (u64)in;
    r9 = (u64)info;
    r10 = ref->index;
    r11 = ref->nonce[0];
    r12 = ref->nonce[1];
    r13 = ref->nonce[2];
    r14 = ref->nonce[3];
    asm volatile(".byte 0x66, 0x0f, 0x01, 0xce" : "+a" (ret)
                 : "c" (out), "d" ((u64)type), "r" (r8), "r" (r9), "r" (r10),
                   "r" (r11), "r" (r12), "r" (r13), "r" (r14)
                 : "memory", "cc");
    if (ret) {
        return false;
    }
    memcpy(report, out, offsetof(struct tdreport, reserved));
    return true;
}

u64 plat_verify_report(const struct reportmac *mac)
{
    u8 buffer[2 * sizeof(*mac)];
    u8 *in = (u8 *)(((u64)buffer + sizeof(*mac) - 1) & ~(sizeof(*mac) - 1));
    u64 ret = SEAMOPS_SEAMVERIFYREPORT;

    memcpy(in, mac, sizeof(*mac));
    asm volatile(".byte 0x66, 0x0f, 0x01, 0xce" : "+a" (ret) : "b" (in)
                 : "memory", "cc");
    return !ret ? TDX_SUCCESS
           : ret == SEAMOPS_INVALID_CPUSVN ? TDX_INVALID_CPUSVN
                                           : TDX_INVALID_REPORTMACSTRUCT;
}
