/*
 * Tests of the TDX module, as a program of the build machine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static const struct {
    const char *name;
    void (*fn)(void);
} tests[] = {
    { "sha", test_sha },
    { "sys", test_sys },
    { "phymem", test_phymem },
    { "td", test_td },
    { "params", test_params },
    { "vp", test_vp },
    { "mem", test_mem },
    { "size", test_size },
    { "run", test_run },
    { "event", test_event },
    { "tdcall", test_tdcall },
    { "meta", test_meta },
    { "busy", test_busy },
    { "update", test_update },
    { "fuzz", test_fuzz },
    { "race", test_race },
};

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
        unsigned c = checks, f = failures;

        tests[i].fn();
        printf("%s %u - %s: %u checks\n", failures == f ? "ok" : "not ok",
               i + 1, tests[i].name, checks - c);
    }
    report_leaves();
    printf("# %u checks, %u failed\n1..%zu\n", checks, failures,
           ARRAY_SIZE(tests));
    return failures != 0;
}
