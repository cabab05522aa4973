/*
 * VMX: fields of a VMCS, and active VMCSs
 *
 * The fields of an active VMCS are in the processor, as the SDM permits, and
 * not in memory: memory has them after VMCLEAR. Until then its image is
 * scrambled, so that software which moves a VMCS to another processor without
 * VMCLEAR finds no valid data there.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/bswap.h"
#include "qemu/log.h"
#include "vmx-internal.h"

/* The image: revision, abort indicator, state, fields */
#define IMAGE_STATE     8
#define IMAGE_FIELDS    16
#define IMAGE_SCRAMBLE  0xa5a55a5a3c3cc3c3ULL

/* A VMCS is launched only while it is active: VMCLEAR ends both. */
enum {
    IMAGE_CLEAR = 0x1c1ea300,
    IMAGE_ACTIVE = 0x0ac1170e,
};

QEMU_BUILD_BUG_ON(IMAGE_FIELDS + 8 * VMX_FIELDS > 4096);

static const uint16_t vmx_encodings[VMX_FIELDS] = {
#define VMX_FIELD(name, encoding) [VMX_##name] = encoding,
#include "vmx-fields.h.inc"
#undef VMX_FIELD
};

/* By width, type and the low five bits of the index; 0 if not supported. */
static uint8_t vmx_field_table[4][4][64];

QEMU_BUILD_BUG_ON(VMX_FIELDS >= 255);

static void __attribute__((constructor)) vmx_field_init(void)
{
    int i;

    for (i = 0; i < VMX_FIELDS; i++) {
        uint16_t e = vmx_encodings[i];

        vmx_field_table[e >> 13][(e >> 10) & 3][(e >> 1) & 0x3f] = i + 1;
    }
}

uint32_t vmx_field_encoding(VmxField f)
{
    return vmx_encodings[f];
}

/* -1 if there is no such field; "high" access is for 64-bit fields only. */
int vmx_field_lookup(uint32_t e)
{
    if ((e & ~0x6c7fu) || ((e & 1) && (e >> 13) != 1)) {
        return -1;
    }
    return vmx_field_table[e >> 13][(e >> 10) & 3][(e >> 1) & 0x3f] - 1;
}

bool vmx_field_read_only(VmxField f)
{
    return ((vmx_encodings[f] >> 10) & 3) == 1;
}

uint64_t vmx_field_mask(VmxField f)
{
    switch (vmx_encodings[f] >> 13) {
    case 0:
        return UINT16_MAX;
    case 2:
        return UINT32_MAX;
    default:
        return UINT64_MAX;
    }
}

static void vmx_image_read(CPUX86State *env, VmxVmcs *vmcs)
{
    CPUState *cs = env_cpu(env);
    uint64_t state = x86_ldq_phys(cs, vmcs->pa + IMAGE_STATE);
    int i;

    if (state == IMAGE_ACTIVE) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "VMX: CPU %d loads VMCS 0x%" PRIx64
                      ", which is active elsewhere\n",
                      cs->cpu_index, vmcs->pa);
    }
    for (i = 0; i < VMX_FIELDS; i++) {
        vmcs->f[i] = x86_ldq_phys(cs, vmcs->pa + IMAGE_FIELDS + 8 * i) &
                     vmx_field_mask(i);
    }
}

static void vmx_image_write(CPUX86State *env, const VmxVmcs *vmcs,
                            uint64_t state, uint64_t scramble)
{
    CPUState *cs = env_cpu(env);
    int i;

    x86_stq_phys(cs, vmcs->pa + IMAGE_STATE, state);
    for (i = 0; i < VMX_FIELDS; i++) {
        x86_stq_phys(cs, vmcs->pa + IMAGE_FIELDS + 8 * i,
                     vmcs->f[i] ^ scramble);
    }
}

/* For a loader, in memory that is zero otherwise */
void vmx_image_set(uint8_t *page, VmxField f, uint64_t val)
{
    stl_le_p(page, VMX_REVISION);
    stq_le_p(page + IMAGE_STATE, IMAGE_CLEAR);
    stq_le_p(page + IMAGE_FIELDS + 8 * f, val);
}

/* From now on, its fields are in the processor, and not in memory. */
VmxVmcs *vmx_vmcs_read(CPUX86State *env, uint64_t pa)
{
    VmxVmcs *vmcs = g_new0(VmxVmcs, 1);

    vmcs->pa = pa;
    vmcs->shadow = x86_ldl_phys(env_cpu(env), pa) & VMX_SHADOW_INDICATOR;
    vmx_image_read(env, vmcs);
    vmx_image_write(env, vmcs, IMAGE_ACTIVE, IMAGE_SCRAMBLE);
    return vmcs;
}

VmxVmcs *vmx_vmcs_activate(CPUX86State *env, uint64_t pa)
{
    VmxVmcs *vmcs = vmx_transfer_vmcs(env, pa);

    if (!vmcs) {
        vmcs = g_hash_table_lookup(env->vmx->active, &pa);
    }
    if (!vmcs) {
        vmcs = vmx_vmcs_read(env, pa);
        g_hash_table_insert(env->vmx->active, &vmcs->pa, vmcs);
    }
    return vmcs;
}

/* VMCLEAR. A VMCS that is not active here has no cached state. */
void vmx_vmcs_clear(CPUX86State *env, uint64_t pa)
{
    VmxVmcs *transfer = vmx_transfer_vmcs(env, pa);
    VmxVmcs *vmcs = transfer ? transfer :
                    g_hash_table_lookup(env->vmx->active, &pa);

    if (!vmcs) {
        x86_stq_phys(env_cpu(env), pa + IMAGE_STATE, IMAGE_CLEAR);
        return;
    }
    vmx_image_write(env, vmcs, IMAGE_CLEAR, 0);
    if (env->vmx->vmcs == vmcs) {
        env->vmx->vmcs = NULL;
    }
    if (transfer) {
        vmx_transfer_cleared(env);
    } else {
        g_hash_table_remove(env->vmx->active, &pa);
    }
}

/* The content of VMCSs that were not cleared is lost. */
void vmx_vmcs_drop_all(CPUX86State *env)
{
    env->vmx->vmcs = NULL;
    g_hash_table_remove_all(env->vmx->active);
}

/* "Conventions" of the VMX instruction reference */
void vmx_set_flags(CPUX86State *env, uint32_t flags)
{
    CC_SRC = flags;
    CC_OP = CC_OP_EFLAGS;
}

void vmx_succeed(CPUX86State *env)
{
    vmx_set_flags(env, 0);
}

void vmx_fail_invalid(CPUX86State *env)
{
    vmx_set_flags(env, CC_C);
}

/* VMfailValid if there is a current VMCS, otherwise VMfailInvalid */
void vmx_fail(CPUX86State *env, uint32_t error)
{
    if (env->vmx->vmcs) {
        vmx_set(env, VMX_INSN_ERROR, error);
        vmx_set_flags(env, CC_Z);
    } else {
        vmx_fail_invalid(env);
    }
}
