/*
 * SEV-SNP tests: RMPUPDATE, PSMASH, RMPREAD
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define AREA    0x10000000ULL       /* 2 MiB aligned, unused */
#define GPA     0x40000000ULL
#define ASID    5

static u64 entry_of(u64 spa)
{
    return rmp_entry(spa)[0];
}

static void test_disabled(void)
{
    struct rmp_state state;

    check(rmpupdate(AREA, &(struct rmp_state){}) == -1 && trap()->vec == UD,
          "RMPUPDATE is #UD without SNPEn");
    check(psmash(AREA) == -1 && trap()->vec == UD,
          "PSMASH is #UD without SNPEn");
    check(rmpread(AREA, &state) == -1 && trap()->vec == UD,
          "RMPREAD is #UD without SNPEn");
}

static void test_assign(void)
{
    u64 want = RMP_ASSIGNED | GPA | RMP_ASID(ASID);

    check_eq(rmp_assign(AREA, GPA, ASID, false), SUCCESS, "assign 4 KiB");
    check_eq(entry_of(AREA), want, "its entry: not validated, no VMSA");
    rmp_entry(AREA)[0] |= RMP_VALIDATED | RMP_VMSA;
    check_eq(rmp_assign(AREA, GPA + PAGE, ASID, false), SUCCESS, "remap it");
    check_eq(entry_of(AREA), want + PAGE,
             "rmpupdate-unvalidate: neither validated nor VMSA");
    rmp_entry(AREA)[0] |= RMP_VALIDATED;
    check_eq(rmp_assign(AREA, GPA + PAGE, ASID + 1, false), SUCCESS,
             "give it to another guest");
    check_eq(entry_of(AREA), RMP_ASSIGNED | (GPA + PAGE) | RMP_ASID(ASID + 1),
             "rmpupdate-unvalidate: not validated");
    check_eq(rmp_share(AREA, false), SUCCESS, "unassign 4 KiB");
    check_eq(entry_of(AREA), 0, "entry is 0");

    check_eq(rmp_assign(AREA, GPA, ASID, true), SUCCESS, "assign 2 MiB");
    check_eq(entry_of(AREA), want | RMP_2M, "its entry");
    rmp_entry(AREA)[0] |= RMP_VALIDATED;
    check_eq(rmp_share(AREA, true), SUCCESS, "unassign 2 MiB");
    check_eq(entry_of(AREA) | entry_of(AREA + PAGE) |
             entry_of(AREA + 511 * PAGE), 0, "entries are 0");
    check_eq(rmp_firmware(AREA), SUCCESS, "make a page the firmware's");
    check_eq(entry_of(AREA), RMP_ASSIGNED | RMP_IMMUTABLE, "its entry");
    rmp_clear(AREA, 512);
}

/* Guest-Valid to Pre-Swap: the guest's validated bit and permissions stay. */
static void test_set_immutable(void)
{
    struct rmp_state state = {
        .gpa = GPA, .assigned = 1, .immutable = 1, .asid = ASID,
    };
    u64 bits = RMP_VALIDATED | RMP_VMSA;

    rmp_make(AREA, GPA, ASID, bits);
    rmp_entry(AREA)[1] = 0x010f;
    check_eq(rmpupdate(AREA, &state), SUCCESS, "a page becomes immutable");
    check_eq(entry_of(AREA), RMP_ASSIGNED | RMP_IMMUTABLE | GPA |
             RMP_ASID(ASID) | bits, "and nothing else");
    check_eq(rmp_entry(AREA)[1], 0x010f, "nor do its permissions");
    rmp_clear(AREA, 1);

    rmp_make(AREA, GPA, ASID, bits);
    state.gpa += PAGE;
    check_eq(rmpupdate(AREA, &state), SUCCESS, "immutable at another gpa");
    check_eq(entry_of(AREA), RMP_ASSIGNED | RMP_IMMUTABLE | (GPA + PAGE) |
             RMP_ASID(ASID), "rmpupdate-unvalidate: not validated");
    rmp_clear(AREA, 1);

    rmp_make(AREA, GPA, ASID, bits);
    state = (struct rmp_state){
        .gpa = GPA, .assigned = 1, .immutable = 1, .asid = ASID + 1,
    };
    check_eq(rmpupdate(AREA, &state), SUCCESS, "immutable, another guest's");
    check_eq(entry_of(AREA), RMP_ASSIGNED | RMP_IMMUTABLE | GPA |
             RMP_ASID(ASID + 1), "rmpupdate-unvalidate: not validated");
    rmp_clear(AREA, 1);
}

static void test_input(void)
{
    struct rmp_state immutable = { .immutable = 1 };
    struct rmp_state asid = { .asid = ASID };

    check_eq(rmp_assign(AREA + PAGE, GPA, ASID, true), FAIL_INPUT,
             "rmpupdate-align: 2 MiB at a 4 KiB address");
    check_eq(entry_of(AREA + PAGE) | entry_of(AREA), 0, "nothing changed");
    check_eq(rmpupdate(AREA, &immutable), FAIL_INPUT,
             "rmpupdate-reserved: unassigned and immutable");
    check_eq(rmpupdate(AREA, &asid), FAIL_INPUT,
             "rmpupdate-reserved: unassigned with an ASID");
    check_eq(entry_of(AREA), 0, "nothing changed");
    check_eq(rmp_assign(rmp_covered_end(), GPA, ASID, false), FAIL_INPUT,
             "RMPUPDATE of a page without an entry");
    check_eq(rmp_assign(rmp_covered_end() - PAGE, GPA, ASID, false), SUCCESS,
             "RMPUPDATE of the last page that has one");
    rmp_clear(rmp_covered_end() - PAGE, 1);
}

static void test_permission(void)
{
    u64 old;

    rmp_firmware(AREA);
    old = entry_of(AREA);
    check_eq(rmp_share(AREA, false), FAIL_PERMISSION,
             "rmpupdate-immutable: unassign");
    check_eq(rmp_assign(AREA, GPA, ASID, false), FAIL_PERMISSION,
             "rmpupdate-immutable: assign");
    check_eq(entry_of(AREA), old, "nothing changed");
    rmp_clear(AREA, 1);
}

static void test_overlap(void)
{
    u64 old;

    rmp_assign(AREA, GPA, ASID, true);
    old = entry_of(AREA);
    check_eq(rmp_share(AREA, false), FAIL_OVERLAP,
             "rmpupdate-overlap: 4 KiB at the start of 2 MiB");
    check_eq(rmp_share(AREA + 7 * PAGE, false), FAIL_OVERLAP,
             "rmpupdate-overlap: 4 KiB inside of 2 MiB");
    check_eq(entry_of(AREA), old, "nothing changed");
    rmp_clear(AREA, 512);

    rmp_assign(AREA + 511 * PAGE, GPA, ASID, false);
    check_eq(rmp_assign(AREA, GPA, ASID, true), FAIL_OVERLAP,
             "rmpupdate-overlap: assign 2 MiB over 4 KiB");
    check_eq(rmp_share(AREA, true), FAIL_OVERLAP,
             "rmpupdate-overlap: unassign 2 MiB over 4 KiB");
    check_eq(entry_of(AREA), 0, "nothing changed");
    rmp_clear(AREA, 512);
}

static void test_psmash(void)
{
    u64 bits = RMP_ASSIGNED | RMP_ASID(ASID) | RMP_VALIDATED;
    u64 wrong = 0;
    int i;

    rmp_make(AREA, GPA, ASID, RMP_2M | RMP_VALIDATED);
    check_eq(psmash(AREA + PAGE), FAIL_INPUT, "psmash-align");
    check_eq(entry_of(AREA), bits | RMP_2M | GPA, "nothing changed");
    check_eq(psmash(AREA), SUCCESS, "PSMASH");
    for (i = 0; i < 512; i++) {
        wrong |= entry_of(AREA + i * PAGE) ^ (bits | (GPA + i * PAGE));
    }
    check_eq(wrong, 0, "512 entries, consecutive and still validated");
    check(psmash(AREA) > 0, "psmash-size: a 4 KiB page fails");
    check_eq(rmp_share(AREA + PAGE, false), SUCCESS, "the parts are pages");
    check_eq(psmash(AREA) > 0, 1, "psmash-size: still fails");
    check_eq(entry_of(AREA + PAGE), 0, "nothing changed");
    rmp_clear(AREA, 512);
    check(psmash(AREA) > 0, "psmash-size: the hypervisor's page fails");
    check_eq(entry_of(AREA + PAGE), 0, "nothing changed");

    rmp_make(AREA, GPA, ASID, RMP_2M | RMP_IMMUTABLE);
    check_eq(psmash(AREA), FAIL_PERMISSION, "psmash-immutable");
    check_eq(entry_of(AREA + PAGE) & RMP_GPA, 0, "nothing changed");
    rmp_clear(AREA, 512);
    check(psmash(rmp_covered_end()) > 0, "PSMASH of memory without entries");
}

static bool same_state(const struct rmp_state *a, const struct rmp_state *b)
{
    return a->gpa == b->gpa && a->assigned == b->assigned &&
           (a->page_size & 1) == b->page_size && a->asid == b->asid &&
           a->immutable == b->immutable;
}

static void test_rmpread(void)
{
    struct rmp_state got, want = {
        .gpa = GPA, .assigned = 1, .asid = ASID, .immutable = 1,
    };

    rmp_make(AREA + PAGE, GPA, ASID, RMP_IMMUTABLE);
    memset(&got, 0xff, sizeof(got));
    check_eq(rmpread(AREA + PAGE, &got), SUCCESS, "RMPREAD");
    check(same_state(&got, &want), "what it reads");
    check_eq(rmpread(AREA + 2 * PAGE, &got), SUCCESS, "RMPREAD of no page");
    check(same_state(&got, &(struct rmp_state) {}), "what it reads");
    rmp_clear(AREA, 512);
    check(rmpread(rmp_covered_end(), &got) > 0, "RMPREAD without an entry");
}

static void user_rmpupdate(void)
{
    asm volatile(".byte 0xf2, 0x0f, 0x01, 0xfe; ud2" : : "a"(AREA), "c"(AREA));
}

static void user_psmash(void)
{
    asm volatile(".byte 0xf3, 0x0f, 0x01, 0xff; ud2" : : "a"(AREA));
}

static void test_user(void)
{
    run_user(user_rmpupdate);
    check_eq(trap()->vec, GP, "RMPUPDATE is #GP at CPL 3");
    run_user(user_psmash);
    check_eq(trap()->vec, GP, "PSMASH is #GP at CPL 3");
}

void test_main(void)
{
    u32 r[4];

    cpuid(0x8000001f, r);
    test_disabled();
    snp_enable();
    check_eq(rmp_assign(AREA, GPA, ASID, false), SUCCESS, "RMPUPDATE works");
    rmp_clear(AREA, 1);
    test_assign();
    test_set_immutable();
    test_input();
    test_permission();
    test_overlap();
    test_psmash();
    test_user();
    if (r[0] & BIT(21)) {
        test_rmpread();
    } else {
        check(rmpread(AREA, &(struct rmp_state){}) == -1 && trap()->vec == UD,
              "RMPREAD is #UD where CPUID does not have it");
    }
}
