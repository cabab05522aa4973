/*
 * Tests of the TDX module: what holds whatever a host or a TD has done
 *
 *   - no lock is held when nobody is in the module
 *   - a page that is not free belongs to a TDR that is there
 *   - TDR.CHLDCNT is the number of its pages
 *   - each S-EPT entry maps a page of its TD, of the same size; each page of
 *     type REG or EPT is mapped once, until the TD is torn down
 *   - a key id that is not free belongs to one TD
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static const char *audit_when;
static u8 seen[SIM_PAGES];

static void audit_that(bool ok, const char *what, u64 v)
{
    if (!ok) {
        fprintf(stderr, "audit %s: %s (0x%llx)\n", audit_when, what,
                (unsigned long long)v);
        abort();
    }
}

static bool lock_is_free(lock_t l)
{
    return !(l & ~LOCK_HOST_PRIORITY);
}

static void audit_table(const struct tdr *tdr, u64 tdr_pa, u64 table_pa,
                        unsigned level)
{
    const u64 *table = (const u64 *)sim_mem(table_pa);

    audit_that(sim.key[table_pa / PAGE_SIZE] == tdr->hkid, "key of a table",
               table_pa);
    for (unsigned i = 0; i < 512; i++) {
        u64 e = table[i], pa = e & SEPT_PA;
        bool leaf = sept_is(e, SEPT_LEAF_STATES);
        const struct pamt_entry *p;

        audit_that(!(e & SEPT_LOCK), "entry is locked", e);
        if (sept_state(e) == SEPT_FREE) {
            audit_that((e & ~SEPT_HOST_PRIORITY) == SEPT_ENTRY_FREE,
                       "free entry", e);
            continue;
        }
        p = pamt_of(pa, leaf ? level : 0);
        audit_that(p && p->type == (leaf ? PT_REG : PT_EPT) &&
                   pamt_owner(p) == tdr_pa, "entry maps another's page", e);
        audit_that(!seen[pa / PAGE_SIZE], "page is mapped twice", pa);
        seen[pa / PAGE_SIZE] = 1;
        if (!leaf) {
            audit_that(level > 0, "table below 4 KiB", e);
            audit_table(tdr, tdr_pa, pa, level - 1);
        }
    }
}

static void audit_td(u64 tdr_pa, u64 pages)
{
    const struct tdr *tdr = (const struct tdr *)sim_mem(tdr_pa);
    const struct tdcs *tdcs;

    audit_that(tdr->chldcnt == pages, "CHLDCNT", tdr->chldcnt);
    audit_that(tdr->state == TD_TEARDOWN ||
               module.key[tdr->hkid].state ==
               (tdr->state == TD_BLOCKED ? KEY_FLUSHED : KEY_ASSIGNED),
               "key id of a TD", tdr->hkid);
    if (tdr->num_tdcx < TDCS_PAGES || tdr->state != TD_KEYS_CONFIGURED) {
        return;
    }
    tdcs = (const struct tdcs *)sim_mem(tdr->tdcx_pa[0]);
    audit_that(lock_is_free(tdcs->op_state_lock) &&
               lock_is_free(tdcs->sept_lock) &&
               lock_is_free(tdcs->epoch.lock) &&
               lock_is_free(tdcs->rtmr_lock), "lock of a TD", tdr_pa);
    audit_that(!tdcs->epoch.refcount[0] && !tdcs->epoch.refcount[1],
               "vCPU that does not run counts", tdr_pa);
    if (tdcs->op_state != OP_UNINITIALIZED) {
        audit_table(tdr, tdr_pa, tdcs->eptp & SEPT_PA, (tdcs->eptp >> 3) & 7);
    }
}

static u64 audit_count(u64 tdr_pa)
{
    u64 n = 0;

    for (u64 pa = SIM_TDMR0; pa < SIM_TDMR0 + SIZE_1G; pa += SIZE_2M) {
        const struct pamt_entry *e = pamt_of(pa, 1);

        if (e->type == PT_REG) {
            n += pamt_owner(e) == tdr_pa ? 512 : 0;
            continue;
        }
        e = pamt_of(pa, 0);
        for (unsigned i = 0; i < 512; i++) {
            n += e[i].type > PT_RSVD && pamt_owner(&e[i]) == tdr_pa;
        }
    }
    return n;
}

/* Pages below a larger one are free, and so are the larger ones above. */
static void audit_page(const struct pamt_entry *e, u64 pa, unsigned level)
{
    u64 owner = pamt_owner(e);

    audit_that(lock_is_free(e->lock), "PAMT entry is locked", pa);
    if (e->type == PT_NDA || e->type == PT_RSVD) {
        audit_that(!owner, "free page has an owner", pa);
    } else if (e->type == PT_TDR) {
        audit_that(level == 0 && sim.key[pa / PAGE_SIZE] == SIM_FIRST_KEY,
                   "TDR", pa);
        audit_td(pa, audit_count(pa));
    } else {
        audit_that(pamt_of(owner, 0)->type == PT_TDR, "owner is no TDR", pa);
        audit_that(e->type == PT_REG || level == 0, "large page", pa);
    }
}

static void audit_mapped(const struct pamt_entry *e, u64 pa)
{
    const struct tdr *tdr;

    if (e->type != PT_REG && e->type != PT_EPT) {
        return;
    }
    tdr = (const struct tdr *)sim_mem(pamt_owner(e));
    audit_that(tdr->state != TD_KEYS_CONFIGURED || seen[pa / PAGE_SIZE],
               "page of a TD is not mapped", pa);
}

void audit(const char *when)
{
    audit_when = when;
    memset(seen, 0, sizeof(seen));
    audit_that(lock_is_free(module.lock) && lock_is_free(module.keys_lock) &&
               !module.lps_busy && !sim_windows, "lock of the module", 0);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (u64 pa = SIM_TDMR0; pa < SIM_TDMR0 + SIZE_1G; pa += SIZE_2M) {
            const struct pamt_entry *e = pamt_of(pa, 1);

            (void)(pass ? audit_mapped(e, pa) : audit_page(e, pa, 1));
            for (unsigned i = 0; i < 512; i++) {
                const struct pamt_entry *s = pamt_of(pa, 0) + i;

                audit_that(e->type != PT_REG || s->type == PT_NDA,
                           "page below a larger one", pa);
                (void)(pass ? audit_mapped(s, pa + i * PAGE_SIZE)
                            : audit_page(s, pa + i * PAGE_SIZE, 0));
            }
        }
    }
}
