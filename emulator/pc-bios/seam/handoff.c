/*
 * TDX module: handoff from one module to the next
 *
 * TDH.SYS.SHUTDOWN leaves in memory that the loader keeps what the module has
 * of the machine and of its TDs; TDH.SYS.UPDATE of the next module takes it.
 * All else that belongs to TDs is in their own pages and in PAMTs. So a version
 * of these data is also one of struct tdr, tdcs, vcpu and pamt_entry, and of
 * Secure EPT entries: who changes one of them gives the data another version.
 *
 * The loader knows the header only.  It installs no update unless it is valid.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

static const char handoff_magic[8] = "TDX-HAND";

struct handoff_wb {
    u32 next_block;
    u8 flushed[MAX_KEYS];
};

struct handoff_tdmr {
    struct tdmr_info info;
    u32 num_reserved;
    u32 reserved;
    u64 next;
};

struct handoff {
    struct handoff_header header;

    /* The next module finds out the same by itself, or does not take over. */
    u32 num_lps, num_pkgs;
    u16 first_key, num_keys;
    u32 key_shift;
    u64 xfam_fixed0;
    u64 tsc_frequency;

    u32 pkgs_keyed;
    u16 global_key;
    u16 num_tdmrs;
    u64 updates;
    u8 key_state[MAX_KEYS];
    u32 wb_pending[MAX_KEYS];
    struct handoff_wb wb[MAX_PKGS];
    struct handoff_tdmr tdmr[MAX_TDMRS];
};
_Static_assert(sizeof(struct handoff) <= HANDOFF_PAGES * PAGE_SIZE, "handoff");

/* NULL if the loader keeps too little memory, or none */
static struct handoff *handoff_data(void)
{
    u64 size;
    struct handoff *h = plat_handoff(&size);

    return size >= sizeof(*h) ? h : NULL;
}

bool handoff_possible(void)
{
    return handoff_data() != NULL;
}

void handoff_clear(void)
{
    struct handoff *h = handoff_data();

    if (h) {
        memset(&h->header, 0, sizeof(h->header));
    }
}

static void handoff_write_keys(struct handoff *h)
{
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        h->key_state[i] = module.key[i].state;
        h->wb_pending[i] = module.key[i].wb_pending;
    }
    for (unsigned i = 0; i < MAX_PKGS; i++) {
        h->wb[i].next_block = module.cache_wb[i].next_block;
        for (unsigned k = 0; k < MAX_KEYS; k++) {
            h->wb[i].flushed[k] = module.cache_wb[i].flushed[k];
        }
    }
}

/*
 * The module has ended, and nobody else is in it: no lock is held, and no vCPU
 * counts in an epoch.  The header comes last.
 */
void handoff_write(void)
{
    struct handoff *h = handoff_data();

    memset(h, 0, sizeof(*h));
    h->num_lps = plat_info()->num_lps;
    h->num_pkgs = plat_info()->num_pkgs;
    h->first_key = module.first_key;
    h->num_keys = module.num_keys;
    h->key_shift = module.key_shift;
    h->xfam_fixed0 = module.xfam_fixed0;
    h->tsc_frequency = module.tsc_frequency;
    h->pkgs_keyed = module.pkgs_keyed;
    h->global_key = module.global_key;
    h->updates = module.updates;
    h->num_tdmrs = module.num_tdmrs;
    handoff_write_keys(h);
    for (unsigned i = 0; i < module.num_tdmrs; i++) {
        h->tdmr[i].info = module.tdmr[i].info;
        h->tdmr[i].num_reserved = module.tdmr[i].num_reserved;
        h->tdmr[i].next = module.tdmr[i].next;
    }
    h->header.size = sizeof(*h);
    h->header.version = MODULE_HANDOFF;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(h->header.magic, handoff_magic, sizeof(handoff_magic));
}

static bool handoff_same_machine(const struct handoff *h)
{
    return h->num_lps == plat_info()->num_lps &&
           h->num_pkgs == plat_info()->num_pkgs &&
           h->first_key == module.first_key &&
           h->num_keys == module.num_keys &&
           h->key_shift == module.key_shift &&
           h->xfam_fixed0 == module.xfam_fixed0 &&
           h->tsc_frequency == module.tsc_frequency;
}

/* Key ids: those outside the module's range, and its own one, are reserved. */
static bool handoff_keys_ok(const struct handoff *h)
{
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        bool reserved = i == h->global_key || i < module.first_key ||
                        i >= module.first_key + module.num_keys;

        if (reserved != (h->key_state[i] == KEY_RESERVED) ||
            h->key_state[i] > KEY_FLUSHED ||
            (h->wb_pending[i] & ~phymem_pkg_mask())) {
            return false;
        }
    }
    return h->global_key >= module.first_key &&
           h->global_key < module.first_key + module.num_keys &&
           h->pkgs_keyed == phymem_pkg_mask();
}

static bool handoff_tdmrs_ok(const struct handoff *h)
{
    if (!h->num_tdmrs || h->num_tdmrs > MAX_TDMRS) {
        return false;
    }
    for (unsigned i = 0; i < h->num_tdmrs; i++) {
        const struct handoff_tdmr *t = &h->tdmr[i];

        if (t->num_reserved > MAX_RESERVED_PER_TDMR ||
            !range_within(t->info.base, t->next - t->info.base,
                          t->info.base, t->info.size)) {
            return false;
        }
    }
    return true;
}

static void handoff_take(const struct handoff *h)
{
    module.pkgs_keyed = h->pkgs_keyed;
    module.global_key = h->global_key;
    module.updates = h->updates + 1;
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        module.key[i].state = h->key_state[i];
        module.key[i].wb_pending = h->wb_pending[i];
    }
    for (unsigned i = 0; i < MAX_PKGS; i++) {
        module.cache_wb[i].next_block = h->wb[i].next_block;
        for (unsigned k = 0; k < MAX_KEYS; k++) {
            module.cache_wb[i].flushed[k] = h->wb[i].flushed[k];
        }
    }
    for (unsigned i = 0; i < h->num_tdmrs; i++) {
        module.tdmr[i] = (struct tdmr) {
            .info = h->tdmr[i].info,
            .num_reserved = h->tdmr[i].num_reserved,
            .next = h->tdmr[i].next,
        };
    }
    module.num_tdmrs = h->num_tdmrs;
}

bool handoff_read(void)
{
    const struct handoff *h = handoff_data();

    if (!h || memcmp(h->header.magic, handoff_magic, sizeof(handoff_magic)) ||
        h->header.version - MODULE_HANDOFF_MIN >
        MODULE_HANDOFF - MODULE_HANDOFF_MIN || h->header.size != sizeof(*h) ||
        !handoff_same_machine(h) || !handoff_keys_ok(h) ||
        !handoff_tdmrs_ok(h)) {
        return false;
    }
    handoff_take(h);
    return true;
}
