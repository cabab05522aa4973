/*
 * AMD Secure Processor: access to the host's memory
 *
 * The host passes addresses with or without the C-bit. Hardware does not apply
 * RMP checks to firmware: firmware checks the state of pages itself. Once SNP
 * is initialized, firmware may only write to pages in the Firmware state, or to
 * memory that the RMP does not cover (the Default state).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/range.h"
#include "psp-internal.h"
#include "trace.h"

/* The SMM memory below 1 MiB */
#define ASEG_BASE   0xa0000ull
#define ASEG_SIZE   0x20000ull

hwaddr psp_spa(AmdPspState *s, uint64_t address)
{
    return address & ~s->cbit;
}

uint32_t psp_host_key(AmdPspState *s, uint64_t address)
{
    /* The machine's CPUs ignore the C-bit of the host's page tables. */
    return AMD_MEM_KEY_NONE;
}

PspStatus psp_check_address(AmdPspState *s, uint64_t address, size_t len)
{
    hwaddr spa = psp_spa(s, address), base, end;

    if (!len) {
        return SEV_STATUS_SUCCESS;
    }
    PSP_REQUIRE(s, TMR, !s->tmr_len ||
                !ranges_overlap(spa, len, s->tmr, s->tmr_len),
                INVALID_ADDRESS);
    PSP_REQUIRE(s, ADDRESS, !ranges_overlap(spa, len, ASEG_BASE, ASEG_SIZE),
                INVALID_ADDRESS);
    PSP_REQUIRE(s, ADDRESS, !s->snp_init ||
                !amd_rmp_range(s->snp, &base, &end) ||
                !ranges_overlap(spa, len, base, end - base + 1),
                INVALID_ADDRESS);
    return SEV_STATUS_SUCCESS;
}

PspStatus psp_read(AmdPspState *s, uint64_t address, void *buf, size_t len)
{
    PSP_TRY(psp_check_address(s, address, len));
    if (!amd_mem_read(s->snp, psp_spa(s, address), buf, len,
                      psp_host_key(s, address))) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return SEV_STATUS_SUCCESS;
}

/* Check that firmware may write @len bytes at @address. */
PspStatus psp_check_writable(AmdPspState *s, uint64_t address, size_t len)
{
    hwaddr spa = psp_spa(s, address);
    hwaddr page;

    if (!len) {
        return SEV_STATUS_SUCCESS;
    }
    if (spa + len < spa) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_TRY(psp_check_address(s, spa, len));
    for (page = spa & PSP_PAGE_MASK; page < spa + len; page += PSP_PAGE_SIZE) {
        AmdRmpEntry e;
        uint8_t probe;

        if (!amd_mem_read(s->snp, page, &probe, 1, AMD_MEM_KEY_NONE)) {
            return SEV_STATUS_INVALID_ADDRESS;
        }
        if (!s->snp_init || !amd_rmp_covered(s->snp, page)) {
            continue;
        }
        PSP_REQUIRE(s, BUFFER_STATE, psp_page_entry(s, page, &e) &&
                    amd_rmp_page_state(&e) == AMD_PAGE_FIRMWARE,
                    INVALID_PAGE_STATE);
    }
    return SEV_STATUS_SUCCESS;
}

PspStatus psp_write(AmdPspState *s, uint64_t address, const void *buf,
                    size_t len)
{
    PSP_TRY(psp_check_writable(s, address, len));
    if (!amd_mem_write(s->snp, psp_spa(s, address), buf, len,
                       psp_host_key(s, address))) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return SEV_STATUS_SUCCESS;
}

/*
 * Return @size bytes in a buffer whose 32-bit length is at @len. If the buffer
 * is too small or missing, store the required length there.
 */
PspStatus psp_return_blob(AmdPspState *s, uint64_t address, void *len,
                          const void *blob, uint32_t size)
{
    uint32_t had = ldl_le_p(len);

    stl_le_p(len, size);
    if (had < size) {
        return SEV_STATUS_INVALID_LENGTH;
    }
    return psp_write(s, address, blob, size);
}

/* The RMP entry that governs a page, or false if there is none */
bool psp_page_entry(AmdPspState *s, uint64_t address, AmdRmpEntry *e)
{
    return amd_rmp_get(s->snp, psp_spa(s, address), e);
}

PspStatus psp_check_page(AmdPspState *s, uint64_t address, AmdPageState state,
                         AmdRmpEntry *e)
{
    if (psp_spa(s, address) & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_TRY(psp_check_address(s, address, PSP_PAGE_SIZE));
    if (!psp_page_entry(s, address, e)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_REQUIRE(s, PAGE_STATE, amd_rmp_page_state(e) == state,
                INVALID_PAGE_STATE);
    return SEV_STATUS_SUCCESS;
}

void psp_set_entry(AmdPspState *s, hwaddr spa, AmdPageState from,
                   const AmdRmpEntry *e)
{
    trace_amd_psp_page(spa, amd_page_state_name(from),
                       amd_page_state_name(amd_rmp_page_state(e)));
    amd_rmp_set(s->snp, spa, e);
}

bool psp_in_one_page(AmdPspState *s, uint64_t address, size_t len)
{
    return (psp_spa(s, address) & ~PSP_PAGE_MASK) + len <= PSP_PAGE_SIZE;
}

bool psp_all_zero(const void *buf, size_t len)
{
    return buffer_is_zero(buf, len);
}
