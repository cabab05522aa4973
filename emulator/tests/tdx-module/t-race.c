/*
 * Tests of the TDX module: two processors in each other's way
 *
 * Both change the memory of one TD and run a vCPU of it.  A vCPU keeps using
 * translations that it has found, as a TLB does: their pages must stay the
 * TD's as long as the vCPU has not left.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <pthread.h>
#include "lib.h"

#define RACE_CALLS  60000
#define END_CALLS   300000
#define RACE_PAGES  24          /* for each thread */
#define RACE_GPAS   6

static struct ttd race_td;
static u64 race_pages[2];
static unsigned race_used, race_kept, race_busy, race_done;
static _Thread_local u64 race_state;

static u64 rnd(u64 n)
{
    race_state = race_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (race_state >> 33) % n;
}

/* As the processor walks: 0 if nothing is mapped for reading */
static u64 race_translate(u64 gpa)
{
    const struct tdr *tdr = (const struct tdr *)sim_mem(race_td.tdr);
    u64 e = tdr->tdcx_pa[TDCS_PAGE_SEPT_ROOT] | SEPT_RWX;

    for (int level = 3; level >= 0; level--) {
        const u64 *table = (const u64 *)sim_mem(e & SEPT_PA);

        e = __atomic_load_n(&table[(gpa / level_size(level)) % 512],
                            __ATOMIC_ACQUIRE);
        if (!(e & SEPT_RWX)) {
            return 0;
        }
        if (e & SEPT_LEAF) {
            return (e & SEPT_PA) | (gpa & (level_size(level) - 1));
        }
    }
    return 0;
}

static void race_guest(struct guest_regs *g)
{
    u64 pa = race_translate(rnd(RACE_GPAS) * PAGE_SIZE);

    if (pa) {
        for (unsigned i = 0; i < 20; i++) {
            const struct pamt_entry *e = pamt_of(pa, 0);

            if (e->type != PT_REG || pamt_owner(e) != race_td.tdr) {
                fprintf(stderr, "a vCPU uses a page that is free: 0x%llx\n",
                        (unsigned long long)pa);
                abort();
            }
            sched_yield();
        }
        __atomic_fetch_add(&race_kept, 1, __ATOMIC_RELAXED);
    }
    if (rnd(3)) {
        g->gpr.r[R_AX] = TDG_MEM_PAGE_ACCEPT;
        g->gpr.r[R_CX] = rnd(RACE_GPAS) * PAGE_SIZE;
        sim_exit(77, 0);
        return;
    }
    sim_exit(1, 0);
}

static void race_call(unsigned me)
{
    u64 gpa = rnd(RACE_GPAS) * PAGE_SIZE, tdr = race_td.tdr, ret;
    u64 page = race_pages[me] + rnd(RACE_PAGES) * PAGE_SIZE;

    switch (rnd(10)) {
    case 0: case 1:
        ret = call(TDH_MEM_PAGE_AUG, gpa, tdr, page, 0);
        break;
    case 2:
        ret = call(TDH_MEM_RANGE_BLOCK, gpa, tdr, 0, 0);
        break;
    case 3:
        ret = call(TDH_MEM_RANGE_UNBLOCK, gpa, tdr, 0, 0);
        break;
    case 4: case 5:
        ret = call(TDH_MEM_PAGE_REMOVE, gpa, tdr, 0, 0);
        race_used += !is_error(ret);
        break;
    case 6:
        ret = call(TDH_MEM_TRACK, tdr, 0, 0, 0);
        break;
    case 7:
        ret = call(TDH_MEM_PAGE_RELOCATE, gpa, tdr, page, 0);
        break;
    default:
        ret = call(TDH_VP_ENTER, race_td.tdvpr[me], 0, 0, 0);
        break;
    }
    if (STATUS_CODE(ret) == TDX_OPERAND_BUSY) {
        __atomic_fetch_add(&race_busy, 1, __ATOMIC_RELAXED);
    } else if (!is_error(ret)) {
        __atomic_fetch_add(&race_done, 1, __ATOMIC_RELAXED);
    }
}

static void *race_thread(void *arg)
{
    unsigned me = arg != NULL;

    sim_cur = me;
    race_state = 7 + me;
    sim_guest = race_guest;
    for (unsigned i = 0; i < RACE_CALLS; i++) {
        race_call(me);
    }
    /* What this thread has left open is seen by the audit. */
    if (sim_windows) {
        abort();
    }
    sim_guest = NULL;
    return NULL;
}

static bool end_over;
static unsigned end_turn;       /* odd: the module has ended */

/* Calls to a module that is ready or not: its state changes, as by a leaf. */
static void *end_thread(void *arg)
{
    unsigned *wrong = arg;

    sim_cur = 1;
    for (unsigned i = 0; i < END_CALLS; i++) {
        u8 state = i & 1 ? SYS_READY : SYS_CONFIG_DONE;

        *wrong += call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0) !=
                  (i & 1 ? TDX_SYS_NOT_READY : TDX_SUCCESS);
        if (lock_try(&module.lock, LOCK_EX)) {
            __atomic_store_n(&module.sys_state, state, __ATOMIC_SEQ_CST);
            lock_put(&module.lock, LOCK_EX);
        } else {
            i--;
        }
    }
    __atomic_store_n(&end_over, true, __ATOMIC_SEQ_CST);
    return NULL;
}

/* The module does not end, as a third processor is in it: nobody notices. */
static void test_refused_end(void)
{
    unsigned wrong = 0, ended = 0;
    pthread_t other;

    setup_ready();
    module.lps_busy = 1;
    if (pthread_create(&other, NULL, end_thread, &wrong)) {
        abort();
    }
    while (!__atomic_load_n(&end_over, __ATOMIC_SEQ_CST)) {
        ended += call(TDH_SYS_DISABLE, 0, 0, 0, 0) != TDX_SYS_BUSY;
    }
    pthread_join(other, NULL);
    CHECK(wrong, 0);
    CHECK(ended, 0);
}

/* What finds that the module has ended does nothing, and all else succeeds. */
static void *again_thread(void *arg)
{
    unsigned *wrong = arg;

    sim_cur = 1;
    for (unsigned i = 0; i < END_CALLS; i++) {
        unsigned before = __atomic_load_n(&end_turn, __ATOMIC_SEQ_CST);
        u64 ret = call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0);
        bool same = before == __atomic_load_n(&end_turn, __ATOMIC_SEQ_CST);

        *wrong += ret != TDX_SUCCESS && ret != TDX_SYS_SHUTDOWN;
        *wrong += same && (before & 1) && ret != TDX_SYS_SHUTDOWN;
    }
    __atomic_store_n(&end_over, true, __ATOMIC_SEQ_CST);
    return NULL;
}

/* As if it were loaded anew: true once nobody is in it */
static bool end_undo(void)
{
    u32 nobody = LPS_ENDED;

    return __atomic_compare_exchange_n(&module.lps_busy, &nobody, 0, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The module ends while others call it, again and again. */
static void test_end_again(void)
{
    unsigned wrong = 0, ended = 0, refused = 0;
    pthread_t other;
    bool over;

    setup_ready();
    end_over = false;
    if (pthread_create(&other, NULL, again_thread, &wrong)) {
        abort();
    }
    while (!__atomic_load_n(&end_over, __ATOMIC_SEQ_CST)) {
        if (call(TDH_SYS_DISABLE, 0, 0, 0, 0) != TDX_SUCCESS) {
            refused++;
            continue;
        }
        ended++;
        __atomic_fetch_add(&end_turn, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&end_turn, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&module.sys_state, SYS_READY, __ATOMIC_SEQ_CST);
        do {
            over = __atomic_load_n(&end_over, __ATOMIC_SEQ_CST);
        } while (!end_undo() && !over);
    }
    pthread_join(other, NULL);
    CHECK(wrong, 0);
    CHECK(ended > 0, true);
    /* Nobody has come or left uncounted. */
    CHECK(module.lps_busy, 0);
    printf("race, ends of the module: %u, refused: %u\n", ended, refused);
}

void test_race(void)
{
    pthread_t other;
    u64 vp;

    test_refused_end();
    test_end_again();

    td_to(&race_td, ST_INIT);
    vp = vp_create(&race_td);
    sim_cur = 1;
    vp_init(&race_td, vp, 1);
    sim_cur = 0;
    MUST(call(TDH_MR_FINALIZE, race_td.tdr, 0, 0, 0));
    sept_tables(&race_td, 0, 0);
    for (unsigned i = 0; i < 2; i++) {
        race_pages[i] = page_alloc_2m();
        /* The next one is in other 2 MiB: the threads share nothing there. */
    }
    if (pthread_create(&other, NULL, race_thread, &race_td)) {
        abort();
    }
    race_thread(NULL);
    pthread_join(other, NULL);
    sim_cur = 0;
    audit("race");
    printf("race, of %u calls: %u without error, %u busy; %u pages removed, "
           "%u translations used\n", 2 * RACE_CALLS, race_done, race_busy,
           race_used, race_kept);
    CHECK(race_used > 0 && race_kept > 0, true);
    td_destroy(&race_td);
    audit("race, destroyed");
}
