/*
 * Rules of an emulated device or processor that a property disables
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_RULE_LIST_H
#define HW_MISC_RULE_LIST_H

/*
 * Set the bits of the rules in @list, "NAME[:NAME...]", in @ignored. @names has
 * @count names. @what is the owner of the rules, for the error message. If a
 * name is unknown, @ignored does not change.
 */
bool rule_list_parse(const char *list, const char *const *names, int count,
                     const char *what, unsigned long *ignored, Error **errp);

#endif
