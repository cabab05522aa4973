/*
 * AMD Secure Processor: dispatch of commands
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/log.h"
#include "hw/misc/rule-list.h"
#include "psp-internal.h"
#include "trace.h"

/* States of the platform in which a command is allowed */
#define S_UNINIT    (1 << SEV_PSTATE_UNINIT)
#define S_INIT      (1 << SEV_PSTATE_INIT)
#define S_WORKING   (1 << SEV_PSTATE_WORKING)
#define S_UP        (S_INIT | S_WORKING)
#define S_ANY       (S_UNINIT | S_UP)
#define N_UNINIT    (1 << 4)
#define N_INIT      (1 << 5)
#define N_ANY       (N_UNINIT | N_INIT)

/* The command writes to its buffer if it succeeds, */
#define OUT         (1 << 8)
/* or always, because it returns lengths there; */
#define OUT_ALWAYS  (OUT | 1 << 9)
/* and the buffer is a hypervisor page even with SNP. */
#define OUT_ANYWHERE (1 << 10)

typedef struct PspCmdInfo {
    const char *name;
    PspCmdFn *fn;               /* NULL: not supported */
    uint16_t len;               /* of the command buffer */
    uint16_t flags;
} PspCmdInfo;

#define CMD(name, type, flags) \
    [SEV_CMD_##name] = { #name, psp_cmd_##name, sizeof(type), flags }
#define CMD_NO_BUFFER(name, flags) \
    [SEV_CMD_##name] = { #name, psp_cmd_##name, 0, flags }
#define CMD_UNSUPPORTED(name) \
    [SEV_CMD_##name] = { #name, NULL, 0, 0 }

static const PspCmdInfo commands[SEV_CMD_MAX] = {
    CMD(INIT, SevBufInit, S_UNINIT | N_ANY),
    CMD(INIT_EX, SevBufInitEx, S_UNINIT | N_ANY),
    CMD_NO_BUFFER(SHUTDOWN, S_ANY | N_ANY),
    CMD_NO_BUFFER(PLATFORM_RESET, S_UNINIT | N_ANY),
    CMD(PLATFORM_STATUS, SevBufStatus, S_ANY | N_ANY | OUT),
    CMD_NO_BUFFER(PEK_GEN, S_INIT | N_ANY),
    CMD(PEK_CSR, SevBufBlob, S_UP | N_ANY | OUT_ALWAYS),
    CMD(PEK_CERT_IMPORT, SevBufCerts, S_INIT | N_ANY),
    CMD(PDH_CERT_EXPORT, SevBufCerts, S_UP | N_ANY | OUT_ALWAYS),
    CMD_NO_BUFFER(PDH_GEN, S_UP | N_ANY),
    CMD_NO_BUFFER(DF_FLUSH, S_ANY | N_ANY),
    CMD(DOWNLOAD_FIRMWARE, SevBufBlob, S_UNINIT | N_UNINIT),
    CMD(GET_ID, SevBufBlob, S_ANY | N_ANY | OUT_ALWAYS),
    CMD_NO_BUFFER(NOP, S_ANY | N_ANY),
    CMD_UNSUPPORTED(RING_BUFFER),
    CMD(DECOMMISSION, SevBufHandle, S_WORKING | N_ANY),
    CMD(ACTIVATE, SevBufActivate, S_WORKING | N_ANY),
    CMD(ACTIVATE_EX, SevBufActivateEx, S_WORKING | N_ANY),
    CMD(DEACTIVATE, SevBufHandle, S_WORKING | N_ANY),
    CMD(GUEST_STATUS, SevBufGuestStatus, S_WORKING | N_ANY | OUT),
    CMD(COPY, SevBufCopy, S_WORKING | N_ANY),
    CMD(LAUNCH_START, SevBufStart, S_UP | N_ANY | OUT),
    CMD(LAUNCH_UPDATE_DATA, SevBufRegion, S_WORKING | N_ANY),
    CMD(LAUNCH_UPDATE_VMSA, SevBufRegion, S_WORKING | N_ANY),
    CMD(LAUNCH_MEASURE, SevBufRegion, S_WORKING | N_ANY | OUT_ALWAYS),
    CMD(LAUNCH_SECRET, SevBufPacket, S_WORKING | N_ANY),
    CMD(LAUNCH_FINISH, SevBufHandle, S_WORKING | N_ANY),
    CMD(ATTESTATION, SevBufAttestation,
        S_WORKING | N_ANY | OUT_ALWAYS | OUT_ANYWHERE),
    CMD(SEND_START, SevBufSendStart, S_WORKING | N_ANY | OUT_ALWAYS),
    CMD(SEND_UPDATE_DATA, SevBufPacket, S_WORKING | N_ANY | OUT_ALWAYS),
    CMD(SEND_UPDATE_VMSA, SevBufPacket, S_WORKING | N_ANY | OUT_ALWAYS),
    CMD(SEND_FINISH, SevBufHandle, S_WORKING | N_ANY),
    CMD(SEND_CANCEL, SevBufHandle, S_WORKING | N_ANY),
    CMD(RECEIVE_START, SevBufStart, S_UP | N_ANY | OUT),
    CMD(RECEIVE_UPDATE_DATA, SevBufPacket, S_WORKING | N_ANY),
    CMD(RECEIVE_UPDATE_VMSA, SevBufPacket, S_WORKING | N_ANY),
    CMD(RECEIVE_FINISH, SevBufHandle, S_WORKING | N_ANY),
    CMD(DBG_DECRYPT, SevBufDbg, S_WORKING | N_ANY),
    CMD(DBG_ENCRYPT, SevBufDbg, S_WORKING | N_ANY),
    CMD_UNSUPPORTED(SWAP_OUT),
    CMD_UNSUPPORTED(SWAP_IN),
    CMD_NO_BUFFER(SNP_INIT, S_UNINIT | N_UNINIT),
    CMD(SNP_INIT_EX, SnpBufInitEx, S_UNINIT | N_UNINIT),
    CMD_NO_BUFFER(SNP_SHUTDOWN, S_ANY | N_ANY),
    CMD(SNP_SHUTDOWN_EX, SnpBufShutdownEx, S_ANY | N_ANY),
    CMD(SNP_PLATFORM_STATUS, SnpBufAddr, S_ANY | N_ANY),
    CMD_NO_BUFFER(SNP_DF_FLUSH, S_ANY | N_ANY),
    CMD(SNP_DECOMMISSION, SnpBufAddr, S_ANY | N_INIT),
    CMD(SNP_ACTIVATE, SnpBufActivate, S_ANY | N_INIT),
    CMD(SNP_ACTIVATE_EX, SnpBufActivateEx, S_ANY | N_INIT),
    CMD(SNP_GUEST_STATUS, SnpBufGuestStatus, S_ANY | N_INIT),
    CMD(SNP_GCTX_CREATE, SnpBufAddr, S_ANY | N_INIT),
    CMD(SNP_GUEST_REQUEST, SnpBufGuestRequest, S_ANY | N_INIT),
    CMD(SNP_LAUNCH_START, SnpBufLaunchStart, S_ANY | N_INIT),
    CMD(SNP_LAUNCH_UPDATE, SnpBufLaunchUpdate, S_ANY | N_INIT),
    CMD(SNP_LAUNCH_FINISH, SnpBufLaunchFinish, S_ANY | N_INIT),
    CMD(SNP_DBG_DECRYPT, SnpBufDbg, S_ANY | N_INIT),
    CMD(SNP_DBG_ENCRYPT, SnpBufDbg, S_ANY | N_INIT),
    CMD(SNP_PAGE_SWAP_OUT, SnpBufSwap, S_ANY | N_INIT),
    CMD(SNP_PAGE_SWAP_IN, SnpBufSwap, S_ANY | N_INIT),
    CMD(SNP_PAGE_MOVE, SnpBufPageMove, S_ANY | N_INIT),
    CMD(SNP_PAGE_MD_INIT, SnpBufMdInit, S_ANY | N_INIT),
    CMD(SNP_PAGE_SET_STATE, SnpBufSetState, S_ANY | N_INIT),
    CMD(SNP_PAGE_RECLAIM, SnpBufAddr, S_ANY | N_INIT),
    CMD(SNP_PAGE_UNSMASH, SnpBufAddr, S_ANY | N_INIT),
    CMD(SNP_CONFIG, SnpBufConfig, S_ANY | N_ANY),
    CMD_UNSUPPORTED(SNP_DOWNLOAD_FIRMWARE_EX),
    CMD(SNP_COMMIT, SnpBufCommit, S_ANY | N_ANY),
    CMD(SNP_VLEK_LOAD, SnpBufVlekLoad, S_ANY | N_ANY),
    CMD(SNP_FEATURE_INFO, SnpBufFeatureInfo, S_ANY | N_ANY),
};

static const char *const statuses[SEV_STATUS_MAX] = {
#define STATUS_NAME(name, number) [number] = #name,
    SEV_FW_STATUSES(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const rules[PSP_RULE__MAX] = {
#define PSP_RULE(id, name) [PSP_RULE_##id] = name,
#include "amd-psp-rules.h.inc"
#undef PSP_RULE
};

const char *psp_cmd_name(uint32_t id)
{
    return id < SEV_CMD_MAX && commands[id].name ? commands[id].name : "?";
}

const char *psp_status_name(PspStatus status)
{
    return status < SEV_STATUS_MAX && statuses[status] ? statuses[status] : "?";
}

bool psp_rule(AmdPspState *s, PspRule rule)
{
    return !test_bit(rule, s->ignored);
}

PspStatus psp_refuse(AmdPspState *s, const char *rule, PspStatus status)
{
    trace_amd_psp_refuse(rule, psp_status_name(status));
    return status;
}

/* NAME[:NAME...]: rules to disable */
bool psp_parse_rules(AmdPspState *s, const char *text, Error **errp)
{
    return rule_list_parse(text, rules, PSP_RULE__MAX, "amd-psp", s->ignored,
                           errp);
}

bool psp_cmd_by_name(const char *name, uint32_t *id)
{
    for (*id = 0; *id < SEV_CMD_MAX; (*id)++) {
        if (commands[*id].name && !strcmp(commands[*id].name, name)) {
            return true;
        }
    }
    return !qemu_strtoui(name, NULL, 0, id);
}

bool psp_status_by_name(const char *name, uint32_t *status)
{
    for (*status = 0; *status < SEV_STATUS_MAX; (*status)++) {
        if (statuses[*status] && !strcmp(statuses[*status], name)) {
            return true;
        }
    }
    return !qemu_strtoui(name, NULL, 0, status);
}

static bool state_allows(AmdPspState *s, uint16_t flags)
{
    return (flags & (1 << s->sev_state)) &&
           (flags & (s->snp_init ? N_INIT : N_UNINIT));
}

/*
 * With SNP, firmware writes only to Firmware pages. Those of the command buffer
 * become Reclaim pages when the command ends, whatever its status.
 */
static void reclaim_buffer(AmdPspState *s, uint64_t address, size_t len)
{
    hwaddr spa = psp_spa(s, address), page;
    AmdRmpEntry e;

    if (!s->snp_init || !psp_rule(s, PSP_RULE_BUFFER_RECLAIM)) {
        return;
    }
    for (page = spa & PSP_PAGE_MASK; page < spa + len; page += PSP_PAGE_SIZE) {
        if (psp_page_entry(s, page, &e) &&
            amd_rmp_page_state(&e) == AMD_PAGE_FIRMWARE) {
            e.immutable = false;
            amd_rmp_set(s->snp, e.page_size == RMP_PG_SIZE_2M ?
                        page & ~(PSP_PAGE_2M - 1) : page, &e);
        }
    }
}

static PspStatus write_buffer(AmdPspState *s, const PspCmdInfo *info,
                              const PspCmd *cmd)
{
    if (info->flags & OUT_ANYWHERE) {
        amd_mem_write(s->snp, psp_spa(s, cmd->address), cmd->buf, info->len,
                      psp_host_key(s, cmd->address));
        return SEV_STATUS_SUCCESS;
    }
    return psp_write(s, cmd->address, cmd->buf, info->len);
}

static PspStatus run(AmdPspState *s, uint32_t id, uint64_t address)
{
    const PspCmdInfo *info = &commands[id];
    uint8_t buf[128] QEMU_ALIGNED(8);
    PspCmd cmd = { .id = id, .address = address, .buf = buf };
    bool lent = info->flags & OUT && !(info->flags & OUT_ANYWHERE);
    PspStatus status;

    assert(info->len <= sizeof(buf));
    PSP_REQUIRE(s, PLATFORM_STATE, state_allows(s, info->flags),
                INVALID_PLATFORM_STATE);
    if (info->len) {
        PSP_TRY(psp_read(s, address, buf, info->len));
    }
    if (lent) {
        PSP_TRY(psp_check_writable(s, address, info->len));
    }
    status = info->fn(s, &cmd);
    if (info->flags & OUT && (status == SEV_STATUS_SUCCESS ||
                              (info->flags & OUT_ALWAYS) == OUT_ALWAYS)) {
        write_buffer(s, info, &cmd);
    }
    if (lent) {
        reclaim_buffer(s, address, info->len);
    }
    return status;
}

/*
 * Execute a command.
 *
 * Context: exclusive, that is with all vCPUs stopped.
 */
PspStatus psp_execute(AmdPspState *s, uint32_t id, uint64_t address)
{
    PspStatus status = SEV_STATUS_SUCCESS;

    if (id >= SEV_CMD_MAX || !commands[id].name) {
        status = SEV_STATUS_INVALID_COMMAND;
    } else if (psp_injected_fault(s, id, &status)) {
        trace_amd_psp_inject(psp_cmd_name(id), psp_status_name(status));
        return status;
    } else if (!commands[id].fn) {
        qemu_log_mask(LOG_UNIMP, "amd-psp: %s is not supported\n",
                      psp_cmd_name(id));
        status = SEV_STATUS_UNSUPPORTED;
    } else {
        status = run(s, id, address);
    }
    trace_amd_psp_command(psp_cmd_name(id), id, address,
                          psp_status_name(status), status);
    if (status != SEV_STATUS_SUCCESS) {
        qemu_log_mask(LOG_GUEST_ERROR, "amd-psp: %s (0x%x) fails: %s (0x%x)\n",
                      psp_cmd_name(id), id, psp_status_name(status), status);
    }
    return status;
}
