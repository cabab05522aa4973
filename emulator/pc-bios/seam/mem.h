/*
 * TDX module: what leaves on guest memory have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_MEM_H
#define SEAM_MEM_H

#include "module.h"

/* The entry as a host may see it, in RCX and RDX: returns RET. */
u64 mem_report(struct call *c, u64 ret);

/*
 * Lock the page that the entry of the call maps.  If the TD has run, the
 * entry has to be blocked, and no processor may have a translation of it.
 */
u64 mem_lock_tracked(struct call *c, u64 pa, unsigned level,
                     struct pamt_ref *p);

#endif
