/*
 * VMX tests: a module for SEAM mode, whose only leaf is VMCLEAR of RCX
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
    .text
    .globl seam_entry
seam_entry:
    pushq %rcx
    vmclear (%rsp)
    popq %rcx
    /* The host's RIP is that of SEAMCALL. */
    movl $0x681e, %edx
    vmread %rdx, %rax
    addq $4, %rax
    vmwrite %rax, %rdx
    xorl %eax, %eax
    .byte 0x66, 0x0f, 0x01, 0xcd        /* SEAMRET */
    ud2

    .section .note.GNU-stack, "", @progbits
