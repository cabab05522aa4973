/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_LEAK_H
#define _ASM_X86_LEAK_H

#include <linux/types.h>

#ifdef CONFIG_X86_LEAKED_PAGES

/**
 * x86_leak_pages - keep pages that can't be made the host's from ever being used
 * @pfn: first page of 4 KiB
 * @npages: number of pages of 4 KiB
 *
 * To be called instead of freeing them. A compound page is kept as a whole, and
 * a page that was leaked already is not counted again. Pages without struct
 * page are counted only.
 *
 * Context: any.
 * Return: how many pages were counted.
 */
unsigned long x86_leak_pages(u64 pfn, unsigned long npages);

/**
 * x86_leaked_pages - number of 4 KiB pages leaked since boot
 *
 * Users find it in /sys/kernel/debug/x86/leaked_pages.
 */
unsigned long x86_leaked_pages(void);

#else /* !CONFIG_X86_LEAKED_PAGES */

static inline unsigned long x86_leak_pages(u64 pfn, unsigned long npages) { return 0; }
static inline unsigned long x86_leaked_pages(void) { return 0; }

#endif

#endif /* _ASM_X86_LEAK_H */
