/*
 * SEV-SNP tests: random RMPUPDATE, PSMASH and PVALIDATE, compared with a model
 *
 * The model covers 2 MiB of a guest's memory. After each step the whole RMP for
 * it is compared, and the hypervisor and the guest try to access a page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define ROUNDS      30
#define STEPS       100
#define BASE        SPA(GUEST_LARGE)
#define NPF_RMP     (NPF_GPA | PF_P | PF_U | PF_RMP | NPF_ENC)

static struct vm vm;

/* One entry each, as in the RMP; 511 of a 2 MiB page are 0. */
static u64 model[512];
static const u16 pages[] = { 0, 0, 1, 2, 511 };

static bool is_large(void)
{
    return (model[0] & (RMP_ASSIGNED | RMP_2M)) == (RMP_ASSIGNED | RMP_2M);
}

/* The entry that governs the page, converted to one of its own */
static u64 governing(unsigned page)
{
    return is_large() ? model[0] + page * PAGE : model[page];
}

static bool any_assigned(void)
{
    u64 all = 0;
    int i;

    for (i = 0; i < 512; i++) {
        all |= model[i];
    }
    return all & RMP_ASSIGNED;
}

static int model_rmpupdate(unsigned page, const struct rmp_state *s)
{
    int i;

    if (s->page_size && page) {
        return FAIL_INPUT;
    }
    if (!s->assigned && (s->immutable || s->asid)) {
        return FAIL_INPUT;
    }
    if (model[page] & RMP_IMMUTABLE) {
        return FAIL_PERMISSION;
    }
    if (s->page_size ? !is_large() && any_assigned() : is_large()) {
        return FAIL_OVERLAP;
    }
    for (i = 0; s->page_size && i < 512; i++) {
        model[i] = 0;
    }
    model[page] = !s->assigned ? 0 :
                  RMP_ASSIGNED | (s->page_size ? RMP_2M : 0) |
                  (s->immutable ? RMP_IMMUTABLE : 0) | s->gpa |
                  RMP_ASID(s->asid);
    return SUCCESS;
}

static bool step_rmpupdate(unsigned page, u64 r)
{
    struct rmp_state s = {
        .assigned = r & 3 ? 1 : 0,
        .page_size = r >> 2 & 1,
        .asid = r & 3 || !(r >> 3 & 7) ? vm.asid + !(r >> 6 & 3) : 0,
        .immutable = page == 511 && !(r >> 8 & 3),
    };
    int got, want;

    if (s.assigned && s.immutable) {
        s.asid = 0;
    } else if (s.assigned) {
        s.gpa = GUEST_LARGE + page * PAGE;
        s.gpa += r >> 10 & 3 ? 0 : LARGE;
        if (s.page_size) {
            s.gpa &= ~(LARGE - 1);
        }
    }
    /* The manual does not say whether repeating it keeps the page validated. */
    if (model[page] & RMP_VALIDATED &&
        !((model[page] ^ s.gpa ^ RMP_ASID(s.asid)) &
          ~(RMP_VALIDATED | RMP_ASSIGNED | RMP_2M))) {
        return true;
    }
    got = rmpupdate(BASE + page * PAGE, &s);
    want = model_rmpupdate(page, &s);
    if (got != want) {
        printf("# RMPUPDATE of page %u: %d, want %d\n", page, got, want);
    }
    return got == want;
}

static bool step_psmash(unsigned page)
{
    bool good = !page && is_large();
    u64 base = model[0] & ~RMP_2M;
    int got = psmash(BASE + page * PAGE), i;

    for (i = 0; good && i < 512; i++) {
        model[i] = base + i * PAGE;
    }
    if (good != (got == SUCCESS)) {
        printf("# PSMASH of page %u: %d\n", page, got);
    }
    return good == (got == SUCCESS);
}

static void map_as_rmp(void)
{
    if (is_large()) {
        npt_large(&vm, GUEST_LARGE, BASE);
    } else {
        npt_small(&vm, GUEST_LARGE, BASE);
    }
}

static bool guests_own(unsigned page)
{
    u64 want = RMP_ASSIGNED | RMP_ASID(vm.asid) | (GUEST_LARGE + page * PAGE);

    return (governing(page) & ~(RMP_VALIDATED | RMP_2M)) == want;
}

static bool step_pvalidate(unsigned page, bool large, bool validate)
{
    u64 *entry = is_large() ? &model[0] : &model[page];
    bool same = !!(*entry & RMP_VALIDATED) == validate;
    u64 eax;

    map_as_rmp();
    vm_call(&vm, g_pvalidate, GUEST_LARGE + page * PAGE, 0, large, validate);
    eax = vm_get(&vm, SAVE_RAX) & 0xffffffff;
    if (large && page) {
        return vm_done(&vm) && eax == FAIL_INPUT;
    }
    if (!guests_own(page)) {
        return vm.exit.code == EXIT_NPF && vm.exit.info1 == NPF_RMP;
    }
    if (is_large() && !large) {
        return vm.exit.code == EXIT_NPF &&
               vm.exit.info1 == (NPF_RMP | NPF_SIZEM);
    }
    if (!is_large() && large) {
        return vm_done(&vm) && eax == FAIL_SIZEMISMATCH;
    }
    *entry &= ~RMP_VALIDATED;
    *entry |= validate ? RMP_VALIDATED : 0;
    return vm_done(&vm) && eax == SUCCESS && vm_get(&vm, SAVE_R8) == same;
}

static bool same_rmp(void)
{
    int i;

    for (i = 0; i < 512; i++) {
        if (rmp_entry(BASE)[i * 2] != model[i]) {
            printf("# entry %d: %lx, want %lx\n", i, rmp_entry(BASE)[i * 2],
                   model[i]);
            return false;
        }
    }
    return true;
}

static bool good_host_access(unsigned page)
{
    int want = governing(page) & RMP_ASSIGNED ? PF : NO_TRAP;

    return try_write(BASE + page * PAGE, 1) == want;
}

static bool good_guest_access(unsigned page, bool shared)
{
    u64 info = NPF_GPA | PF_P | PF_U | PF_RMP | PF_W;
    u64 at = (shared ? GUEST_SHARED : GUEST_LARGE) + page * PAGE;

    map_as_rmp();
    vm_call(&vm, g_write, at, 1, 0, 0);
    if (shared) {
        return governing(page) & RMP_ASSIGNED
               ? vm.exit.code == EXIT_NPF && vm.exit.info1 == info
               : vm_done(&vm);
    }
    if (!guests_own(page)) {
        return vm.exit.code == EXIT_NPF && vm.exit.info1 == (info | NPF_ENC);
    }
    if (!(governing(page) & RMP_VALIDATED)) {
        return vm.exit.vec == VC && vm.exit.err == NOT_VALIDATED;
    }
    return vm_done(&vm);
}

static bool step(void)
{
    u64 r = random64();
    unsigned page = pages[(r >> 32) % ARRAY_SIZE(pages)];
    unsigned tried = pages[(r >> 40) % ARRAY_SIZE(pages)];
    bool good;

    switch (r >> 48 & 7) {
    case 0:
        good = step_psmash(page);
        break;
    case 1 ... 3:
        good = step_pvalidate(page, r & 1, r >> 1 & 3);
        break;
    case 4:
        /* A state that only the firmware can create */
        if (model[511] & RMP_IMMUTABLE) {
            rmp_clear(BASE + 511 * PAGE, 1);
            model[511] = 0;
        }
        good = true;
        break;
    default:
        good = step_rmpupdate(page, r);
    }
    if (!good) {
        printf("# result of kind %u on page %u\n", (u32)(r >> 48 & 7), page);
    }
    if (!same_rmp()) {
        good = false;
    }
    if (!good_host_access(tried)) {
        printf("# access to page %u by the hypervisor\n", tried);
        good = false;
    }
    if (!good_guest_access(tried, r >> 52 & 1)) {
        printf("# access to page %u by the guest\n", tried);
        good = false;
    }
    return good;
}

void test_main(void)
{
    bool good = true;
    int round, n;

    snp_enable();
    svm_enable();
    vm_init(&vm, SNP);
    for (round = 0; good && round < ROUNDS; round++) {
        for (n = 0; good && n < STEPS; n++) {
            good = step();
        }
        check(good, "%d random steps, up to step %d", STEPS, n);
    }
}
