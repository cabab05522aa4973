/*
 * AMD Secure Processor: SEV and SEV-ES guests for its tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "amd-psp-sev.h"

uint16_t sev_init(Psp *p, bool es)
{
    SevBufInit buf = { 0 };

    if (es) {
        buf.flags = SEV_INIT_FLAGS_ES;
        buf.tmr_address = T_TMR;
        buf.tmr_len = T_TMR_LEN;
    }
    return PSP_CMD(p, INIT, &buf);
}

void sev_start(Psp *p)
{
    psp_start(p, "");
    psp_assert(sev_init(p, true), SUCCESS);
    psp_wbinvd(p);
    psp_assert(PSP_CMD0(p, DF_FLUSH), SUCCESS);
}

uint16_t sev_handle_cmd(Psp *p, uint32_t id, uint32_t handle)
{
    SevBufHandle buf = { .handle = handle };

    return psp_cmd(p, id, &buf, sizeof(buf));
}

uint16_t sev_region_cmd(Psp *p, uint32_t id, uint32_t handle, uint64_t address,
                        uint32_t len)
{
    SevBufRegion buf = { .handle = handle, .address = address, .len = len };

    return psp_cmd(p, id, &buf, sizeof(buf));
}

uint16_t sev_activate(Psp *p, uint32_t handle, uint32_t asid)
{
    SevBufActivate buf = { .handle = handle, .asid = asid };

    return PSP_CMD(p, ACTIVATE, &buf);
}

uint32_t sev_launch_start(Psp *p, uint32_t policy)
{
    SevBufStart buf = { .policy = policy };

    psp_assert(PSP_CMD(p, LAUNCH_START, &buf), SUCCESS);
    g_assert_cmpuint(buf.handle, !=, 0);
    return buf.handle;
}

uint8_t sev_guest_state(Psp *p, uint32_t handle)
{
    SevBufGuestStatus st = { .handle = handle };

    psp_assert(PSP_CMD(p, GUEST_STATUS, &st), SUCCESS);
    return st.state;
}
