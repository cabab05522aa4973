/*
 * TDX module: SEAMCALL comes in here, and TDs run from here
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/* The order of the registers' encoding; RSP is not the host's here. */
.macro push_regs
    pushq   %r15
    pushq   %r14
    pushq   %r13
    pushq   %r12
    pushq   %r11
    pushq   %r10
    pushq   %r9
    pushq   %r8
    pushq   %rdi
    pushq   %rsi
    pushq   %rbp
    pushq   $0
    pushq   %rbx
    pushq   %rdx
    pushq   %rcx
    pushq   %rax
.endm

    .section .text.entry, "ax"
    .globl  seam_entry
seam_entry:
    endbr64
    cld
    push_regs
    movq    %rsp, %rdi
    call    seam_main
    popq    %rax
    popq    %rcx
    popq    %rdx
    popq    %rbx
    leaq    8(%rsp), %rsp
    popq    %rbp
    popq    %rsi
    popq    %rdi
    popq    %r8
    popq    %r9
    popq    %r10
    popq    %r11
    popq    %r12
    popq    %r13
    popq    %r14
    popq    %r15
    /* SEAMRET.  The next SEAMCALL begins at seam_entry. */
    .byte   0x66, 0x0f, 0x01, 0xcd
    ud2

/*
 * bool seam_vmenter(struct guest_regs *regs, bool launched)
 *
 * The VM exit comes back to seam_vmexit with this stack.
 */
    .text
    .globl  seam_vmenter
seam_vmenter:
    pushq   %rbx
    pushq   %rbp
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    pushq   %rdi
    movl    $0x6c14, %eax               /* host RSP */
    vmwrite %rsp, %rax
    movl    $0x6c16, %eax               /* host RIP */
    leaq    seam_vmexit(%rip), %rdx
    vmwrite %rdx, %rax
    testb   %sil, %sil
    movq    0(%rdi), %rax
    movq    8(%rdi), %rcx
    movq    16(%rdi), %rdx
    movq    24(%rdi), %rbx
    movq    40(%rdi), %rbp
    movq    48(%rdi), %rsi
    movq    64(%rdi), %r8
    movq    72(%rdi), %r9
    movq    80(%rdi), %r10
    movq    88(%rdi), %r11
    movq    96(%rdi), %r12
    movq    104(%rdi), %r13
    movq    112(%rdi), %r14
    movq    120(%rdi), %r15
    movq    56(%rdi), %rdi
    jnz     1f
    vmlaunch
    jmp     2f
1:  vmresume
    /* VMfail: no guest has run, and no register has changed. */
2:  xorl    %eax, %eax
    popq    %rdi
    jmp     3f

    .globl  seam_vmexit
seam_vmexit:
    endbr64
    xchgq   %rdi, (%rsp)
    movq    %rax, 0(%rdi)
    movq    %rcx, 8(%rdi)
    movq    %rdx, 16(%rdi)
    movq    %rbx, 24(%rdi)
    movq    %rbp, 40(%rdi)
    movq    %rsi, 48(%rdi)
    movq    %r8, 64(%rdi)
    movq    %r9, 72(%rdi)
    movq    %r10, 80(%rdi)
    movq    %r11, 88(%rdi)
    movq    %r12, 96(%rdi)
    movq    %r13, 104(%rdi)
    movq    %r14, 112(%rdi)
    movq    %r15, 120(%rdi)
    popq    %rax
    movq    %rax, 56(%rdi)
    movl    $1, %eax
3:  popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbp
    popq    %rbx
    ret

    .section .note.GNU-stack, "", @progbits
