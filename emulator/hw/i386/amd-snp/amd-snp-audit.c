/*
 * AMD SEV-SNP platform: audit of the RMP for monitors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qobject/qdict.h"
#include "monitor/hmp.h"
#include "monitor/hmp-target.h"
#include "monitor/monitor.h"
#include "amd-snp-internal.h"

typedef struct Audit {
    uint64_t count[AMD_PAGE__MAX][2];   /* by page size */
    uint64_t *asid_pages;
    uint64_t orphans;
} Audit;

static void count_entry(AmdSnpState *s, Audit *audit, const AmdRmpEntry *e)
{
    uint64_t pages = e->page_size == RMP_PG_SIZE_2M ? SNP_LARGE_PAGES : 1;

    audit->count[amd_rmp_page_state(e)][e->page_size]++;
    if (!e->assigned || !e->asid) {
        return;
    }
    if (e->asid < s->nr_asids) {
        audit->asid_pages[e->asid] += pages;
    }
    if (amd_mem_asid_key(s, e->asid) == AMD_MEM_KEY_NONE) {
        audit->orphans += pages;
    }
}

static void count_range(AmdSnpState *s, Audit *audit, hwaddr from, hwaddr to)
{
    AmdRmpEntry e;

    while (from < to) {
        uint64_t step = SNP_PAGE_SIZE;

        if (amd_rmp_get_raw(s, from, &e)) {
            count_entry(s, audit, &e);
            if (e.assigned && e.page_size == RMP_PG_SIZE_2M) {
                step = SNP_LARGE_SIZE;
            }
        }
        from += step;
    }
}

void amd_rmp_count_update(AmdSnpState *s)
{
    s->rmpupdates++;
}

AmdRmpAudit *qmp_x_query_amd_rmp(Error **errp)
{
    AmdSnpState *s = amd_snp();
    g_autofree uint64_t *asid_pages = NULL;
    AmdRmpAudit *out;
    Audit audit = {};
    uint32_t i;

    if (!s) {
        error_setg(errp, "no processor has x-snp=on");
        return NULL;
    }
    audit.asid_pages = asid_pages = g_new0(uint64_t, s->nr_asids);
    count_range(s, &audit, 0, s->low_size);
    count_range(s, &audit, 4 * GiB, 4 * GiB + s->high_size);

    out = g_new0(AmdRmpAudit, 1);
    out->enabled = amd_snp_enabled(s);
    out->initialized = amd_snp_initialized(s);
    out->orphans = audit.orphans;
    amd_rmp_lock(s);
    out->rmpupdates = s->rmpupdates;
    out->psmashes = s->psmashes;
    amd_rmp_unlock(s);
    for (i = AMD_PAGE__MAX - 1; i > AMD_PAGE_HYPERVISOR; i--) {
        AmdRmpStateCount *c = g_new0(AmdRmpStateCount, 1);

        c->state = g_strdup(amd_page_state_name(i));
        c->small = audit.count[i][RMP_PG_SIZE_4K];
        c->large = audit.count[i][RMP_PG_SIZE_2M];
        QAPI_LIST_PREPEND(out->states, c);
    }
    for (i = s->nr_asids - 1; i > 0; i--) {
        AmdRmpAsidCount *c;

        if (!asid_pages[i]) {
            continue;
        }
        c = g_new0(AmdRmpAsidCount, 1);
        c->asid = i;
        c->active = amd_mem_asid_key(s, i) != AMD_MEM_KEY_NONE;
        c->pages = asid_pages[i];
        QAPI_LIST_PREPEND(out->asids, c);
    }
    return out;
}

static void show_entry(Monitor *mon, hwaddr spa)
{
    AmdSnpState *s = amd_snp();
    AmdRmpEntry e;

    if (!s || !amd_rmp_get_raw(s, spa, &e)) {
        monitor_printf(mon, "no RMP entry\n");
        return;
    }
    monitor_printf(mon, "%s, %s, gpa 0x%" PRIx64 ", asid %u%s%s%s%s, "
                   "permissions %x %x %x %x\n",
                   amd_page_state_name(amd_rmp_page_state(&e)),
                   e.page_size == RMP_PG_SIZE_2M ? "2M" : "4K", e.gpa, e.asid,
                   e.assigned ? ", assigned" : "",
                   e.validated ? ", validated" : "",
                   e.immutable ? ", immutable" : "", e.vmsa ? ", VMSA" : "",
                   e.perms[0], e.perms[1], e.perms[2], e.perms[3]);
}

void hmp_info_amd_rmp(Monitor *mon, const QDict *qdict)
{
    g_autoptr(AmdRmpAudit) audit = NULL;
    AmdRmpStateCountList *state;
    AmdRmpAsidCountList *asid;
    Error *err = NULL;

    if (qdict_haskey(qdict, "addr")) {
        show_entry(mon, qdict_get_int(qdict, "addr"));
        return;
    }
    audit = qmp_x_query_amd_rmp(&err);
    if (!audit) {
        hmp_handle_error(mon, err);
        return;
    }
    monitor_printf(mon, "SNP %s, firmware %s\n",
                   audit->enabled ? "enabled" : "not enabled",
                   audit->initialized ? "initialized" : "not initialized");
    for (state = audit->states; state; state = state->next) {
        monitor_printf(mon, "%-14s %8" PRIu64 " of 4K, %6" PRIu64 " of 2M\n",
                       state->value->state, state->value->small,
                       state->value->large);
    }
    for (asid = audit->asids; asid; asid = asid->next) {
        monitor_printf(mon, "ASID %-4u %8" PRIu64 " pages%s\n",
                       asid->value->asid, asid->value->pages,
                       asid->value->active ? "" : ", not active");
    }
    monitor_printf(mon, "%" PRIu64 " pages of ASIDs that are not active\n",
                   audit->orphans);
    monitor_printf(mon, "%" PRIu64 " RMPUPDATE, %" PRIu64 " PSMASH\n",
                   audit->rmpupdates, audit->psmashes);
}
