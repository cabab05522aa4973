/* SPDX-License-Identifier: GPL-2.0 */
/* Checks of what /dev/sev and KVM's commands for SEV do, as TAP. */
#ifndef SNP_CHECK_H
#define SNP_CHECK_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

static int failed, number;
static uint32_t error;	/* firmware's, of the last command */

static void check(int ok, const char *what)
{
	printf("%sok %d %s", ok ? "" : "not ", ++number, what);
	if (!ok)
		printf(" (errno %d, firmware %#x)", errno, error);
	printf("\n");
	failed |= !ok;
}

#endif
