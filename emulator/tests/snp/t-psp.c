/*
 * SEV-SNP tests: a guest with a key, as the security processor launches it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "psp.h"
#include "svm.h"

#define RUNS        20000

/* The guest's code is at the end of one page and the beginning of the next. */
#define CODE_END    (GUEST_DATA + PAGE)
#define CODE        (CODE_END - 8)

static struct vm vm;
static mem32 ap_ended, ap_flushed[4];
static mem64 ap_addr[2];            /* 0 to stop */
static mem64 ap_reads, run_nr, ap_seen[4];
static bool paced;                  /* each reads once, at the time of a run */

/* What a memory scanner of the host may do at any time */
static void ap_read(void)
{
    u64 seen = 0;

    asm volatile("wbinvd" : : : "memory");
    ap_flushed[cpu_id()] = 1;
    for (;;) {
        while (!ap_addr[0]) {
            ap_ended = 1;
            asm volatile("pause");
        }
        while (paced && ap_addr[0] && seen == run_nr) {
            asm volatile("pause");
        }
        seen = run_nr;
        ap_seen[cpu_id()] = seen;
        flush_tlb();
        rd(ap_addr[1] ?: VMSA_SPA);
        rd(ap_addr[0] ?: VMSA_SPA);
        ap_reads++;
    }
}

/* NOPs, then: vmgexit, which crosses the page; jmp to the first NOP */
static void write_code(void)
{
    static const u8 crossing[] = { 0xf3, 0x0f, 0x01, 0xd9, 0xeb, 0xf4 };

    memset((void *)SPA(CODE), 0x90, CODE_END - CODE);
    memcpy((void *)SPA(CODE_END - 2), crossing, sizeof(crossing));
}

/* The guest with its memory and VMSA, prepared to exit repeatedly */
static u32 launch(void)
{
    u32 handle = psp_launch_es(ES_ASID);

    vm_init(&vm, SEV_ES);
    vm_prepare(&vm, g_exits, 0, 0, 0, 0);
    write_code();
    vm_set(&vm, SAVE_RIP, CODE);
    check_eq(psp_region_cmd(PSP_LAUNCH_UPDATE_DATA, handle, GUEST_SPA,
                            GUEST_LOW_END), 0, "LAUNCH_UPDATE_DATA");
    check_eq(psp_region_cmd(PSP_LAUNCH_UPDATE_VMSA, handle, VMSA_SPA, PAGE), 0,
             "LAUNCH_UPDATE_VMSA");
    return handle;
}

/* Its VMSA must not be read. */
static u64 run(void)
{
    VMCB64(&vm, VMCB_EXIT_CODE) = 0x5555;
    vmrun_asm(vm.vmcb, vm.gprs);
    return VMCB64(&vm, VMCB_EXIT_CODE);
}

static void start_readers(void)
{
    int cpu;

    run_nr++;
    for (cpu = 1; paced && cpu < nr_cpus(); cpu++) {
        while (ap_seen[cpu] != run_nr) {
            asm volatile("pause");
        }
    }
}

static void test_read(u64 first, u64 second, u64 runs, const char *what)
{
    u64 exit = EXIT_VMGEXIT, before = ap_reads, i;

    ap_addr[1] = second;
    ap_addr[0] = first;
    for (i = 0; exit == EXIT_VMGEXIT &&
                (i < runs || ap_reads <= before + 10); i++) {
        start_readers();
        exit = run();
    }
    check_eq(exit, EXIT_VMGEXIT, "runs while %s is read", what);
    check(i >= runs, "%lu times", runs);
    check(ap_reads > before + 10, "it was read");
    printf("# %lu reads\n", ap_reads - before);
    ap_addr[0] = 0;
    ap_ended = 0;
    while (!ap_ended) {
        asm volatile("pause");
    }
}

/*
 * A guest that reads its VMCB with its key: what VMRUN and #VMEXIT find and
 * write there has none.
 */
static void test_vmcb(void)
{
    u32 handle = psp_launch_es(ES_ASID + 1);

    vm_init(&vm, SEV_ES);
    VMCB32(&vm, VMCB_ASID) = ES_ASID + 1;
    npt_small(&vm, GUEST_DATA, (u64)vm.vmcb);
    *npt_pte(&vm, GUEST_DATA + PAGE) = 0;
    vm_prepare(&vm, g_read_two, GUEST_DATA, 0, GUEST_DATA + PAGE, 0);
    check_eq(psp_region_cmd(PSP_LAUNCH_UPDATE_DATA, handle, GUEST_SPA,
                            GUEST_DATA), 0, "LAUNCH_UPDATE_DATA");
    check_eq(psp_region_cmd(PSP_LAUNCH_UPDATE_VMSA, handle, VMSA_SPA, PAGE), 0,
             "LAUNCH_UPDATE_VMSA");
    check_eq(psp_region_cmd(PSP_LAUNCH_MEASURE, handle, 0, 0), 0,
             "LAUNCH_MEASURE");
    check_eq(psp_handle_cmd(PSP_LAUNCH_FINISH, handle), 0, "LAUNCH_FINISH");
    check_eq(run(), EXIT_NPF, "a guest has read its VMCB with its key");
    check_eq(VMCB64(&vm, VMCB_INFO2), GUEST_DATA + PAGE, "EXITINFO2");
    check_eq(VMCB64(&vm, VMCB_VMSA), VMSA_SPA, "the VMCB is as it was");
    check_eq(run(), EXIT_NPF, "again");
    check_eq(VMCB64(&vm, VMCB_INFO2), GUEST_DATA + PAGE, "EXITINFO2");
}

void test_main(void)
{
    u64 runs = test_rounds(RUNS);
    u32 handle;
    int i;

    svm_enable();
    if (!check(psp_find(), "there is a security processor")) {
        return;
    }
    start_ap(ap_read);
    for (i = 1; i < nr_cpus(); i++) {
        while (!ap_flushed[i]) {
            asm volatile("pause");
        }
    }
    check_eq(psp_init_es(), 0, "INIT");
    asm volatile("wbinvd" : : : "memory");
    check_eq(psp_cmd(PSP_DF_FLUSH, NULL, 0), 0, "DF_FLUSH");
    handle = launch();
    check_eq(run(), EXIT_INVALID, "vmrun-asid-valid: before LAUNCH_FINISH");
    check_eq(psp_region_cmd(PSP_LAUNCH_MEASURE, handle, 0, 0), 0,
             "LAUNCH_MEASURE");
    check_eq(run(), EXIT_INVALID, "vmrun-asid-valid: measured");
    check_eq(psp_handle_cmd(PSP_LAUNCH_FINISH, handle), 0, "LAUNCH_FINISH");
    check_eq(run(), EXIT_VMGEXIT, "runs when it is launched");
    paced = runs != RUNS;
    /* Otherwise, each of them stops all others for each of its reads. */
    for (i = 2; !paced && i < nr_cpus(); i++) {
        runs /= 4;
    }
    test_read(VMSA_SPA + SAVE_RIP, VMSA_SPA + SAVE_RIP, runs, "its VMSA");
    /* A block of two pages is translated anew, and the second is the host's. */
    test_read(SPA(CODE), SPA(CODE_END), runs / 8, "its code");
    check_eq(run(), EXIT_VMGEXIT, "runs");
    check_eq(psp_handle_cmd(PSP_DEACTIVATE, handle), 0, "DEACTIVATE");
    check_eq(run(), EXIT_INVALID, "vmrun-asid-valid: after DEACTIVATE");
    /* Another guest's ASID, and an unused one */
    VMCB32(&vm, VMCB_ASID) = ES_ASID + 1;
    check_eq(run(), EXIT_INVALID, "vmrun-asid-valid: no guest's");
    test_vmcb();
}
