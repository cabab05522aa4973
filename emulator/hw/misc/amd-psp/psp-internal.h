/*
 * AMD Secure Processor: declarations that the parts of the firmware share
 *
 * The device (amd-psp.c) takes a command from the mailbox and runs it with all
 * vCPUs stopped. Dispatch (psp-cmd.c) copies the command buffer, makes the
 * checks that all commands have in common, and calls the command's function,
 * which returns a status code. Each command has one function, named after it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AMD_PSP_INTERNAL_H
#define AMD_PSP_INTERNAL_H

#include "qemu/bitmap.h"
#include "qemu/queue.h"
#include "hw/pci/pci_device.h"
#include "hw/i386/amd-snp.h"
#include "hw/misc/amd-sev-fw.h"
#include "hw/misc/amd-sev-fw-layout.h"
#include "hw/misc/amd-sev-fw-msg.h"
#include "psp-crypto.h"

#define TYPE_AMD_PSP "amd-psp"
OBJECT_DECLARE_SIMPLE_TYPE(AmdPspState, AMD_PSP)

#define PSP_PAGE_SIZE   0x1000ull
#define PSP_PAGE_MASK   (~(PSP_PAGE_SIZE - 1))
#define PSP_PAGE_2M     0x200000ull
#define PSP_ASIDS       1024

typedef uint16_t PspStatus;

typedef enum PspRule {
#define PSP_RULE(id, name) PSP_RULE_##id,
#include "amd-psp-rules.h.inc"
#undef PSP_RULE
    PSP_RULE__MAX,
} PspRule;

/* A guest of SEV or SEV-ES: its handle is a number */
typedef struct SevGuest {
    QTAILQ_ENTRY(SevGuest) next;
    uint32_t handle;
    uint32_t policy;
    uint32_t asid;              /* 0: not active */
    uint8_t state;              /* SEV_GSTATE_* */
    uint32_t key;               /* VEK */
    uint8_t tek[16];
    uint8_t tik[16];
    PspSha256 digest;           /* of what was launched */
    uint8_t launch_digest[32];
    uint8_t measure[32];
} SevGuest;

/* A guest of SEV-SNP: its handle is its context page */
typedef struct SnpGuest {
    QTAILQ_ENTRY(SnpGuest) next;
    hwaddr gctx;
    uint64_t magic;             /* what firmware has written to that page */
    uint8_t state;              /* SNP_GSTATE_* */
    uint64_t policy;
    uint32_t asid;              /* 0: not active */
    uint32_t key;               /* VEK */
    bool imi_en;
    bool ma_en;
    struct SnpGuest *ma;        /* migration agent */
    uint8_t ld[48];
    uint8_t imd[48];
    uint8_t vmpck[4][32];
    uint64_t msg_count[4];
    uint8_t vmrk[32];
    uint8_t oek[32];            /* encrypts pages that are swapped out */
    uint64_t oek_iv;            /* of the next one */
    SnpMdata root_mdata;
    uint8_t gosvw[16];
    uint32_t desired_tsc_khz;
    uint8_t report_id[32];
    uint64_t launch_tcb;
    uint8_t host_data[32];
    bool vcek_dis;
    bool id_block_en;
    bool author_key_en;
    SnpIdBlock id_block;
    uint8_t id_key_digest[48];
    uint8_t author_key_digest[48];
} SnpGuest;

/* A fault to inject */
typedef struct PspFault {
    QTAILQ_ENTRY(PspFault) next;
    uint32_t cmd;
    PspStatus status;
    uint32_t nth;               /* 0: always */
    uint32_t seen;
} PspFault;

/*
 * State that survives a reset of the platform: fuses and non-volatile storage
 */
typedef struct PspKeys {
    uint8_t seed[32];
    uint8_t chip_id[64];
    PspEcKey cek, oca, pek, pdh;
    bool oca_external;
    SevCert oca_cert, pek_cert, pdh_cert, cek_cert;
} PspKeys;

struct AmdPspState {
    PCIDevice parent_obj;

    /* properties */
    char *seed;
    char *cert_dir;
    char *fail;
    char *delay;
    char *ignore;
    uint64_t tcb;

    /* mailbox */
    MemoryRegion mmio;
    uint32_t inten;
    uint32_t intsts;
    uint32_t cmdresp;
    uint32_t cmdbuff_lo;
    uint32_t cmdbuff_hi;
    bool busy;
    uint32_t generation;        /* of the mailbox: a reset drops commands */

    /* audit */
    DECLARE_BITMAP(ignored, PSP_RULE__MAX);
    QTAILQ_HEAD(, PspFault) faults;
    uint32_t delay_ms[SEV_CMD_MAX];

    /* platform */
    AmdSnpState *snp;
    uint64_t cbit;
    PspKeys keys;
    uint8_t sev_state;          /* SEV_PSTATE_* */
    bool sev_es;
    bool snp_init;
    bool rmp_init;
    uint32_t snp_config;        /* SNP_STATUS_MASK_* */
    bool vlek_loaded;
    uint64_t reported_tcb;
    uint64_t committed_tcb;
    uint32_t fw_key;            /* with which firmware encrypts its own pages */
    uint64_t nv_address;        /* INIT_EX, with the C-bit */
    hwaddr tmr;
    uint32_t tmr_len;           /* 0 unless in use */
    uint64_t next_magic;

    /* guests */
    QTAILQ_HEAD(, SevGuest) sev_guests;
    QTAILQ_HEAD(, SnpGuest) snp_guests;
    uint32_t next_handle;
    DECLARE_BITMAP(asid_used, PSP_ASIDS);
    DECLARE_BITMAP(asid_valid, PSP_ASIDS);      /* VMRUN accepts it */
    DECLARE_BITMAP(asid_dirty, PSP_ASIDS);
};

/* A command in execution */
typedef struct PspCmd {
    uint32_t id;
    uint64_t address;           /* of its buffer, with the C-bit */
    void *buf;                  /* a copy, written back if it has output */
} PspCmd;

typedef PspStatus PspCmdFn(AmdPspState *s, PspCmd *cmd);

#define SEV_FW_CMD(name, number) PspCmdFn psp_cmd_##name;
SEV_FW_COMMANDS(SEV_FW_CMD)
#undef SEV_FW_CMD

/*
 * Leave the command with @status if @rule is enabled and @condition is false.
 */
#define PSP_REQUIRE(s, rule, condition, status)                         \
    do {                                                                \
        if (!(condition) && psp_rule(s, PSP_RULE_##rule)) {             \
            return psp_refuse(s, #rule, SEV_STATUS_##status);           \
        }                                                               \
    } while (0)

/* Leave the command if @call fails. */
#define PSP_TRY(call)                                                   \
    do {                                                                \
        PspStatus try_status = (call);                                  \
        if (try_status != SEV_STATUS_SUCCESS) {                         \
            return try_status;                                          \
        }                                                               \
    } while (0)

/* psp-cmd.c */
PspStatus psp_execute(AmdPspState *s, uint32_t id, uint64_t address);
const char *psp_cmd_name(uint32_t id);
const char *psp_status_name(PspStatus status);
bool psp_rule(AmdPspState *s, PspRule rule);
PspStatus psp_refuse(AmdPspState *s, const char *rule, PspStatus status);
bool psp_parse_rules(AmdPspState *s, const char *text, Error **errp);
/* Command or status from a name or a number as text; false if there is none */
bool psp_cmd_by_name(const char *name, uint32_t *id);
bool psp_status_by_name(const char *name, uint32_t *status);

/* psp-fault.c: the effect of x-fail and x-delay. Context: with the BQL. */
bool psp_parse_faults(AmdPspState *s, const char *text, Error **errp);
void psp_drop_faults(AmdPspState *s);
bool psp_injected_fault(AmdPspState *s, uint32_t id, PspStatus *status);
bool psp_parse_delays(AmdPspState *s, const char *text, Error **errp);

/* psp-mem.c: addresses as in commands, i.e. with the C-bit */
hwaddr psp_spa(AmdPspState *s, uint64_t address);
uint32_t psp_host_key(AmdPspState *s, uint64_t address);
PspStatus psp_read(AmdPspState *s, uint64_t address, void *buf, size_t len);
PspStatus psp_check_writable(AmdPspState *s, uint64_t address, size_t len);
PspStatus psp_write(AmdPspState *s, uint64_t address, const void *buf,
                    size_t len);
PspStatus psp_return_blob(AmdPspState *s, uint64_t address, void *len,
                          const void *blob, uint32_t size);
/*
 * Check that a command may use @len bytes at @address: not TMR, RMP or SMRAM.
 */
PspStatus psp_check_address(AmdPspState *s, uint64_t address, size_t len);
bool psp_page_entry(AmdPspState *s, uint64_t address, AmdRmpEntry *e);
PspStatus psp_check_page(AmdPspState *s, uint64_t address, AmdPageState state,
                         AmdRmpEntry *e);
bool psp_all_zero(const void *buf, size_t len);
bool psp_in_one_page(AmdPspState *s, uint64_t address, size_t len);
/* Change the entry of the page at @spa, whose state is @from. */
void psp_set_entry(AmdPspState *s, hwaddr spa, AmdPageState from,
                   const AmdRmpEntry *e);

/* psp-cpu.c */
typedef struct PspCpuid {
    uint32_t eax, ebx, ecx, edx;
} PspCpuid;

uint64_t psp_cpu_cbit(void);
PspCpuid psp_cpuid(uint32_t fn, uint32_t index);
bool psp_cpu_smt(void);
uint32_t psp_cpu_tsc_khz(void);
void psp_asid_range(bool es_or_snp, uint32_t *min, uint32_t *max);

/* True if SYSCFG has these bits set on every CPU. */
bool psp_cpu_mfdm(AmdPspState *s);
bool psp_cpu_vmplen(AmdPspState *s);
/* True for families whose TCB version and chip ID the firmware has. */
bool psp_cpu_known(void);

/* psp-iommu.c: pages that the IOMMU writes by itself */
bool psp_iommu_ready(void);
bool psp_iommu_range_ok(void);
void psp_iommu_take(AmdPspState *s);
void psp_iommu_release(AmdPspState *s);

/* psp-asid.c: which guest may use which ASID */
PspStatus psp_asid_take(AmdPspState *s, uint32_t asid, bool es_or_snp,
                        uint32_t key);
void psp_asid_release(AmdPspState *s, uint32_t asid);
/* From now on the guest with @asid, if that is not 0, can run. */
void psp_asid_validate(AmdPspState *s, uint32_t asid);
PspStatus psp_asid_flush(AmdPspState *s);

/* psp-keys.c: secrets of the chip, and keys derived from them */
void psp_keys_init(AmdPspState *s);
void psp_derive(AmdPspState *s, const char *label, const void *context,
                size_t context_len, void *out, size_t len);
void psp_vcek(AmdPspState *s, uint64_t tcb, PspEcKey *key);
void psp_vlek(AmdPspState *s, uint64_t tcb, PspEcKey *key);
bool psp_vlek_check(AmdPspState *s, const uint8_t *wrapped);
uint64_t psp_vlek_tcb(const uint8_t *wrapped);
void psp_vlek_wrap(AmdPspState *s, uint8_t *wrapped);

/* psp-certs.c */
bool psp_export_certs(AmdPspState *s, uint64_t tcb, Error **errp);

/* sev-platform.c */
PspStatus sev_nv_store(AmdPspState *s);

/* sev-cert.c */
void sev_keys_reset(AmdPspState *s);
void sev_keys_new_pdh(AmdPspState *s);
bool sev_cert_verify(const SevCert *cert, uint32_t usage, const SevEcKey *key);

/* sev-session.c */
typedef enum SevPacketUse {     /* the first byte that a packet's MAC covers */
    SEV_PACKET_SECRET = 1,
    SEV_PACKET_DATA = 2,
    SEV_PACKET_VMSA = 3,
} SevPacketUse;

PspStatus sev_session_unwrap(AmdPspState *s, SevGuest *g, const SevEcKey *peer,
                             const SevSession *session);
PspStatus sev_session_wrap(AmdPspState *s, SevGuest *g, const SevEcKey *peer,
                           SevSession *session);
void sev_session_end(SevGuest *g);
PspStatus sev_packet_open(AmdPspState *s, const SevGuest *g, SevPacketUse use,
                          const SevPacketHeader *hdr, uint8_t *data,
                          uint32_t len);
void sev_packet_seal(const SevGuest *g, SevPacketUse use, SevPacketHeader *hdr,
                     uint8_t *data, uint32_t len);

/* sev-launch.c */
PspStatus sev_guest_start(AmdPspState *s, SevBufStart *buf, uint8_t state);

/* sev-guest.c */
SevGuest *sev_guest_find(AmdPspState *s, uint32_t handle);
/* The same, in *@g, if the guest is in @state; otherwise the error status. */
PspStatus sev_guest_get(AmdPspState *s, uint32_t handle, uint8_t state,
                        SevGuest **g);
SevGuest *sev_guest_new(AmdPspState *s);
void sev_guest_free(AmdPspState *s, SevGuest *g);
void sev_guest_free_all(AmdPspState *s);
uint32_t sev_guest_count(AmdPspState *s);

/* snp-guest.c */
PspStatus snp_guest_get(AmdPspState *s, uint64_t address, SnpGuest **guest);
void snp_guest_free_all(AmdPspState *s);
uint32_t snp_guest_count(AmdPspState *s);

/* snp-launch.c, snp-cpuid.c, snp-id.c */
PspStatus snp_check_policy(AmdPspState *s, uint64_t policy);
bool snp_cpuid_check(AmdPspState *s, SnpCpuidTable *table);
PspStatus snp_id_block_check(AmdPspState *s, SnpGuest *g,
                             const SnpBufLaunchFinish *buf);

/* snp-report.c */
uint32_t snp_make_report(AmdPspState *s, SnpGuest *g, uint32_t vmpl,
                         uint32_t key_sel, const uint8_t *report_data,
                         SnpReport *report);
uint32_t snp_make_key(AmdPspState *s, SnpGuest *g, const SnpKeyReq *req,
                      uint8_t *key);

#endif
