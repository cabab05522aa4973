/*
 * Rules of an emulated device or processor that a property disables
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "hw/misc/rule-list.h"

bool rule_list_parse(const char *list, const char *const *names, int count,
                     const char *what, unsigned long *ignored, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(list, ":", 0);
    g_autofree unsigned long *found = bitmap_new(count);
    int i, rule;

    for (i = 0; words[i]; i++) {
        rule = 0;
        while (rule < count && strcmp(names[rule], words[i])) {
            rule++;
        }
        if (rule == count) {
            error_setg(errp, "%s: no rule '%s'", what, words[i]);
            return false;
        }
        set_bit(rule, found);
    }
    bitmap_or(ignored, ignored, found, count);
    return true;
}
