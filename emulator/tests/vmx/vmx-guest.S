/*
 * VMX tests: into the guest and back
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

    .text
    .code64
    /*
     * vm_enter_asm(resume): 0 after a VM exit, or CF and ZF. The general
     * registers except RSP are guest_regs.
     */
    .globl vm_enter_asm
vm_enter_asm:
    .irp reg, rbx, rbp, r12, r13, r14, r15
    pushq %\reg
    .endr
    movl $HOST_RSP, %eax
    vmwrite %rsp, %rax
    leaq vm_exit(%rip), %rdx
    movl $HOST_RIP, %eax
    vmwrite %rdx, %rax
    cmpl $0, %edi
    leaq guest_regs(%rip), %rax
    .set at, 8
    .irp reg, rcx,rdx,rbx,rsp,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15
    .ifnc \reg, rsp
    movq at(%rax), %\reg
    .endif
    .set at, at + 8
    .endr
    movq (%rax), %rax
    jne 1f
    vmlaunch
    jmp 2f
1:  vmresume
2:  pushfq
    popq %rax
    andl $0x41, %eax
    jmp 3f

vm_exit:
    pushq %rax
    leaq guest_regs(%rip), %rax
    .set at, 8
    .irp reg, rcx,rdx,rbx,rsp,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15
    .ifnc \reg, rsp
    movq %\reg, at(%rax)
    .endif
    .set at, at + 8
    .endr
    popq (%rax)
    xorl %eax, %eax
3:  .irp reg, r15, r14, r13, r12, rbp, rbx
    popq %\reg
    .endr
    ret

    .section .note.GNU-stack, "", @progbits
