/*
 * VMX tests: calls of a TDX module that are printed with their results
 *
 * They are to be compared with what another module answers. The checks of the
 * programs are only that they get to their end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_VMX_SCRIPT_H
#define TESTS_VMX_SCRIPT_H

#include "td.h"

#define TDH_MNG_RD              11
#define TDH_MNG_WR              13
#define TDH_SEPT_RD             25
#define TDH_MNG_KEY_RECLAIMID   27
#define VERSION(n)              ((u64)(n) << 16)

#define NO_FIELD                (~0ULL)
#define SCRIPT_HKID             41

/* Begins the line of each call */
extern const char *stage;

u64 call(u64 leaf, u64 cx, u64 dx, u64 r8, u64 r9);
/* LEAF reads all fields, one after the other: how many there are */
int call_fields(u64 leaf, u64 cx);

#endif
