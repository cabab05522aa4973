/*
 * TDX module: key ids
 *
 * A key id is free, assigned to a TD, or flushed: no vCPU can use it any
 * more, but caches may still have lines of it.  It is free again when all
 * packages have written back their caches since.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

static const u8 key_from[] = {
    [KEY_RESERVED] = BIT(KEY_FREE),
    [KEY_FREE] = BIT(KEY_FLUSHED),
    [KEY_ASSIGNED] = BIT(KEY_FREE),
    [KEY_FLUSHED] = BIT(KEY_ASSIGNED),
};

void key_move(u16 id, enum key_state to)
{
    struct key *k = &module.key[id];

    require(key_from[to] & BIT(k->state));
    k->state = to;
}

u32 phymem_pkg_mask(void)
{
    return BIT(plat_info()->num_pkgs) - 1;
}

static u64 sys_key_config(struct call *c)
{
    u32 pkg = BIT(c->lp->pkg);

    if (module.sys_state != SYS_CONFIG_DONE) {
        return TDX_SYS_KEY_CONFIG_NOT_PENDING;
    }
    if (module.pkgs_keyed & pkg) {
        return TDX_KEY_CONFIGURED;
    }
    if (!plat_program_key(module.global_key)) {
        return TDX_KEY_GENERATION_FAILED;
    }
    module.pkgs_keyed |= pkg;
    if (module.pkgs_keyed == phymem_pkg_mask()) {
        sys_move(SYS_READY);
    }
    return TDX_SUCCESS;
}

u64 tdh_sys_key_config(struct call *c)
{
    u64 ret;

    if (!lock_try(&module.lock, LOCK_EX)) {
        return TDX_SYS_BUSY;
    }
    ret = sys_key_config(c);
    lock_put(&module.lock, LOCK_EX);
    return ret;
}

static u64 key_create_td(struct call *c, struct pamt_ref *p, u16 hkid)
{
    u64 uuid[4];
    struct td td = { .pa = p->pa };

    if (module.key[hkid].state != KEY_FREE) {
        return TDX_HKID_NOT_FREE;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(uuid); i++) {
        if (!plat_random(&uuid[i])) {
            return TDX_RND_NO_ENTROPY;
        }
    }
    td.tdr = plat_map(global_pa(c->in.r[R_CX]), PLAT_FRESH);
    memset(td.tdr, 0, PAGE_SIZE);
    memcpy(td.tdr->uuid, uuid, sizeof(uuid));
    plat_seamdb_ref(&td.tdr->seamdb);
    td.tdr->hkid = hkid;
    td.tdr->state = TD_HKID_ASSIGNED;
    key_move(hkid, KEY_ASSIGNED);
    pamt_assign(p, PT_TDR, 0);
    return TDX_SUCCESS;
}

u64 tdh_mng_create(struct call *c)
{
    u64 hkid = c->in.r[R_DX], ret;
    struct pamt_ref p;

    if (hkid < module.first_key ||
        hkid >= module.first_key + module.num_keys) {
        return status(TDX_OPERAND_INVALID, OPND_RDX);
    }
    ret = pamt_lock_operand(c->in.r[R_CX], 0, PT_NDA, LOCK_EX, OPND_RCX, &p);
    if (is_error(ret)) {
        return ret;
    }
    if (lock_try(&module.keys_lock, LOCK_EX)) {
        ret = key_create_td(c, &p, hkid);
        lock_put(&module.keys_lock, LOCK_EX);
    } else {
        ret = status(TDX_OPERAND_BUSY, OPND_KOT);
    }
    pamt_unlock(&p);
    return ret;
}

u64 tdh_mng_key_config(struct call *c)
{
    struct tdr *tdr = c->td.tdr;
    u64 pkg = BIT(c->lp->pkg);

    if (tdr->fatal) {
        return TDX_TD_FATAL;
    }
    if (tdr->state != TD_HKID_ASSIGNED) {
        return TDX_LIFECYCLE_STATE_INCORRECT;
    }
    if (tdr->pkg_config & pkg) {
        return TDX_KEY_CONFIGURED;
    }
    if (!plat_program_key(tdr->hkid)) {
        return TDX_KEY_GENERATION_FAILED;
    }
    tdr->pkg_config |= pkg;
    if (tdr->pkg_config == phymem_pkg_mask()) {
        td_move(tdr, TD_KEYS_CONFIGURED);
    }
    return TDX_SUCCESS;
}

static u64 key_flush(struct call *c)
{
    struct tdr *tdr = c->td.tdr;

    if (tdr->state != TD_HKID_ASSIGNED && tdr->state != TD_KEYS_CONFIGURED) {
        return TDX_LIFECYCLE_STATE_INCORRECT;
    }
    if (tdr->state == TD_KEYS_CONFIGURED) {
        td_map_tdcs(&c->td);
        if (c->td.tdcs && c->td.tdcs->num_assoc_vcpus) {
            return TDX_FLUSHVP_NOT_DONE;
        }
    }
    key_move(tdr->hkid, KEY_FLUSHED);
    __atomic_store_n(&module.key[tdr->hkid].wb_pending, phymem_pkg_mask(),
                     __ATOMIC_RELEASE);
    td_move(tdr, TD_BLOCKED);
    return TDX_SUCCESS;
}

u64 tdh_mng_vpflushdone(struct call *c)
{
    u64 ret;

    if (!lock_try(&module.keys_lock, LOCK_EX)) {
        return status(TDX_OPERAND_BUSY, OPND_KOT);
    }
    ret = key_flush(c);
    lock_put(&module.keys_lock, LOCK_EX);
    return ret;
}

u64 tdh_mng_key_freeid(struct call *c)
{
    struct tdr *tdr = c->td.tdr;
    u64 ret = TDX_SUCCESS;

    if (tdr->state != TD_BLOCKED) {
        return TDX_LIFECYCLE_STATE_INCORRECT;
    }
    if (!lock_try(&module.keys_lock, LOCK_EX)) {
        return status(TDX_OPERAND_BUSY, OPND_KOT);
    }
    if (module.key[tdr->hkid].wb_pending) {
        ret = TDX_WBCACHE_NOT_COMPLETE;
    } else {
        key_move(tdr->hkid, KEY_FREE);
        td_move(tdr, TD_TEARDOWN);
    }
    lock_put(&module.keys_lock, LOCK_EX);
    return ret;
}

/* Does nothing since version 1.0 of the ABI */
u64 tdh_mng_key_reclaimid(struct call *c)
{
    (void)c;
    return TDX_SUCCESS;
}

/* Remember the keys that are flushed now: later ones need another round. */
static u64 key_wb_start(struct cache_wb *wb)
{
    bool any = false;

    wb->next_block = 0;
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        wb->flushed[i] = module.key[i].state == KEY_FLUSHED;
        any |= wb->flushed[i];
    }
    return any ? TDX_SUCCESS : TDX_NO_HKID_READY_TO_WBCACHE;
}

static u64 key_wb(struct call *c, struct cache_wb *wb, bool resume)
{
    u32 blocks = plat_rdmsr(MSR_WBNOINVDP);
    u64 ret = TDX_SUCCESS;

    if (resume && !wb->next_block) {
        return TDX_WBCACHE_RESUME_ERROR;
    }
    if (!resume) {
        ret = key_wb_start(wb);
    }
    if (ret) {
        return ret;
    }
    while (wb->next_block < blocks) {
        plat_wrmsr(MSR_WBNOINVDP, wb->next_block++);
        if (wb->next_block < blocks && plat_event_pending()) {
            return TDX_INTERRUPTED_RESUMABLE;
        }
    }
    wb->next_block = 0;
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        if (wb->flushed[i]) {
            __atomic_fetch_and(&module.key[i].wb_pending, ~BIT(c->lp->pkg),
                               __ATOMIC_RELEASE);
        }
    }
    return TDX_SUCCESS;
}

u64 tdh_phymem_cache_wb(struct call *c)
{
    struct cache_wb *wb = &module.cache_wb[c->lp->pkg];
    u64 ret;

    if (c->in.r[R_CX] > 1) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    if (!lock_try(&wb->lock, LOCK_EX)) {
        return status(TDX_OPERAND_BUSY, OPND_WBCACHE);
    }
    if (lock_try(&module.keys_lock, LOCK_SH)) {
        ret = key_wb(c, wb, c->in.r[R_CX] == 1);
        lock_put(&module.keys_lock, LOCK_SH);
    } else {
        ret = status(TDX_OPERAND_BUSY, OPND_KOT);
    }
    lock_put(&wb->lock, LOCK_EX);
    return ret;
}
