/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _X86_VIRT_SVM_HOST_TEST_H
#define _X86_VIRT_SVM_HOST_TEST_H

#include <linux/types.h>

/* Returns true if a write of the host fails. */
bool host_write_faults(void *addr);

#endif /* _X86_VIRT_SVM_HOST_TEST_H */
