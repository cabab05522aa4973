/*
 * AMD Secure Processor: guests that send messages to the firmware
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_QTEST_AMD_PSP_MSG_H
#define TESTS_QTEST_AMD_PSP_MSG_H

#include "amd-psp.h"
#include "hw/misc/amd-sev-fw-msg.h"

/* Default options of the device */
#define MSG_OPTIONS ",x-ignore=iommu"

void msg_sha384(const void *data, size_t len, uint8_t digest[48]);

/*
 * A machine with a guest at T_GCTX before LAUNCH_FINISH: one page of data and
 * its secrets; @ld is its launch digest as the test computes it.
 */
void msg_start_guest(Psp *p, const char *options, uint64_t policy,
                     uint8_t ld[48]);
void msg_vmpck(Psp *p, int n, uint8_t key[32]);

SnpMsgHeader msg_header(int type, int vmpck, uint64_t seqno, size_t len);

/*
 * Encrypt a message to T_HV, and issue the request; the response is at T_OUT.
 */
uint16_t msg_send(Psp *p, SnpMsgHeader *hdr, const uint8_t key[32],
                  const void *payload);

/* Decrypt the response at T_OUT, which must be authentic; returns its length */
size_t msg_reply(Psp *p, const uint8_t key[32], int type, uint64_t seqno,
                 void *payload);

#endif
