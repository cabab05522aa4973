/*
 * AMD Secure Processor: injected failures and delays of commands
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "psp-internal.h"

static PspFault *parse_fault(const char *text, Error **errp)
{
    g_auto(GStrv) part = g_strsplit(text, ":", 3);
    unsigned int cmd, status, nth = 0;
    PspFault *f;

    if (g_strv_length(part) < 2) {
        error_setg(errp, "amd-psp: '%s' is not COMMAND:STATUS[:NTH]", text);
        return NULL;
    }
    if (!psp_cmd_by_name(part[0], &cmd) ||
        !psp_status_by_name(part[1], &status) ||
        (part[2] && qemu_strtoui(part[2], NULL, 0, &nth))) {
        error_setg(errp, "amd-psp: no such command, status or number: '%s'",
                   text);
        return NULL;
    }
    f = g_new0(PspFault, 1);
    f->cmd = cmd;
    f->status = status;
    f->nth = nth;
    return f;
}

void psp_drop_faults(AmdPspState *s)
{
    PspFault *f, *next;

    QTAILQ_FOREACH_SAFE(f, &s->faults, next, next) {
        QTAILQ_REMOVE(&s->faults, f, next);
        g_free(f);
    }
}

/*
 * COMMAND:STATUS[:NTH]+...: fail the NTH call from now on, or every call (0).
 */
bool psp_parse_faults(AmdPspState *s, const char *text, Error **errp)
{
    g_auto(GStrv) items = g_strsplit(text, "+", 0);
    int i;

    psp_drop_faults(s);
    for (i = 0; items[i]; i++) {
        PspFault *f = parse_fault(items[i], errp);

        if (!f) {
            psp_drop_faults(s);
            return false;
        }
        QTAILQ_INSERT_TAIL(&s->faults, f, next);
    }
    return true;
}

bool psp_injected_fault(AmdPspState *s, uint32_t id, PspStatus *status)
{
    bool hit = false;
    PspFault *f;

    QTAILQ_FOREACH(f, &s->faults, next) {
        if (f->cmd != id) {
            continue;
        }
        f->seen++;
        if (!hit && (!f->nth || f->seen == f->nth)) {
            *status = f->status;
            hit = true;
        }
    }
    return hit;
}

static bool parse_delay(uint32_t *delay_ms, const char *text, Error **errp)
{
    g_auto(GStrv) part = g_strsplit(text, ":", 2);
    uint32_t id, ms;

    if (g_strv_length(part) != 2 || qemu_strtoui(part[1], NULL, 0, &ms)) {
        error_setg(errp, "amd-psp: '%s' is not COMMAND:MILLISECONDS", text);
        return false;
    }
    if (!strcmp(part[0], "ALL")) {
        for (id = 0; id < SEV_CMD_MAX; id++) {
            delay_ms[id] = ms;
        }
        return true;
    }
    if (!psp_cmd_by_name(part[0], &id) || id >= SEV_CMD_MAX) {
        error_setg(errp, "amd-psp: no command '%s'", part[0]);
        return false;
    }
    delay_ms[id] = ms;
    return true;
}

/* COMMAND:MILLISECONDS+...: delay these commands; ALL for every command. */
bool psp_parse_delays(AmdPspState *s, const char *text, Error **errp)
{
    g_auto(GStrv) items = g_strsplit(text, "+", 0);
    uint32_t delay_ms[SEV_CMD_MAX] = { 0 };
    int i;

    for (i = 0; items[i]; i++) {
        if (*items[i] && !parse_delay(delay_ms, items[i], errp)) {
            return false;
        }
    }
    memcpy(s->delay_ms, delay_ms, sizeof(delay_ms));
    return true;
}
