/*
 * VMX tests: a module for SEAM mode
 *
 * RAX: leaf
 *   0: VMXOFF. RCX: a VMXON region. R8: the vector of its exception, R9: error
 *   1: a VM entry with the VMCS at RCX, whose lists of MSRs are in SEAMRR.
 *      VM entry loads IA32_STAR with RDX, VM exit stores it, and loads
 *      IA32_LSTAR with R8. R8: exit reason, R9: what was stored
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define SEAMRET         .byte 0x66, 0x0f, 0x01, 0xcd
#define CS              0x08
#define GP              13
#define SEAMCALL_LENGTH 4
#define VMXOFF_LENGTH   3
#define MSR_STAR        0xc0000081
#define MSR_LSTAR       0xc0000082

/* Fields of the VMCS */
#define EXIT_MSR_STORE  0x2006
#define EXIT_MSR_LOAD   0x2008
#define ENTRY_MSR_LOAD  0x200a
#define REASON          0x4402
#define GUEST_RIP       0x681e
#define HOST_CR3        0x6c02
#define HOST_FS_BASE    0x6c06
#define HOST_GS_BASE    0x6c08
#define HOST_RSP        0x6c14
#define HOST_RIP        0x6c16

/* What the loader leaves: FS and GS base */
#define INFO_BASE       %fs:16
#define INFO_SIZE       %fs:24
#define LP_WINDOW       %gs:8
#define LP_PTES         %gs:16

    .macro write_field field, value
    movl $\field, %eax
    vmwrite \value, %rax
    .endm

    .text
    .globl seam_entry
seam_entry:
    pushq %rcx
    /* The host's RIP is that of SEAMCALL. */
    movl $GUEST_RIP, %esi
    vmread %rsi, %rdi
    addq $SEAMCALL_LENGTH, %rdi
    vmwrite %rdi, %rsi
    cmpl $1, %eax
    je enter

    /* #GP has a handler while VMXOFF is executed. */
    leaq gp_handler(%rip), %rax
    leaq idt + 16 * GP(%rip), %rdi
    movw %ax, (%rdi)
    shrq $16, %rax
    movw %ax, 6(%rdi)
    shrq $16, %rax
    movl %eax, 8(%rdi)
    leaq idt(%rip), %rax
    movq %rax, idtr + 2(%rip)
    leaq gdt(%rip), %rax
    movq %rax, gdtr + 2(%rip)
    lidt idtr(%rip)
    lgdt gdtr(%rip)
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    vmxoff
    testl %r8d, %r8d
    jnz out
    vmxon (%rsp)
    jmp out

gp_handler:
    movl $GP, %r8d
    popq %r9
    addq $VMXOFF_LENGTH, (%rsp)
    iretq

enter:
    /* The last page of SEAMRR, at which there is nothing else */
    movq INFO_BASE, %rsi
    addq INFO_SIZE, %rsi
    subq $4096, %rsi
    leaq 3(%rsi), %rax
    movq LP_PTES, %rdi
    movq %rax, (%rdi)
    movq LP_WINDOW, %rdi
    invlpg (%rdi)
    movl $MSR_STAR, %eax
    movq %rax, (%rdi)
    movq %rdx, 8(%rdi)
    movq %rax, 16(%rdi)
    movq $0, 24(%rdi)
    movl $MSR_LSTAR, %eax
    movq %rax, 32(%rdi)
    movq %r8, 40(%rdi)

    vmptrld (%rsp)
    write_field ENTRY_MSR_LOAD, %rsi
    addq $16, %rsi
    write_field EXIT_MSR_STORE, %rsi
    addq $16, %rsi
    write_field EXIT_MSR_LOAD, %rsi
    movq %cr3, %rcx
    write_field HOST_CR3, %rcx
    rdfsbase %rcx
    write_field HOST_FS_BASE, %rcx
    rdgsbase %rcx
    write_field HOST_GS_BASE, %rcx
    write_field HOST_RSP, %rsp
    leaq left(%rip), %rcx
    write_field HOST_RIP, %rcx
    vmlaunch
    movq $-1, %r8
    jmp 1f
left:
    movl $REASON, %eax
    vmread %rax, %r8
    movq LP_WINDOW, %rdi
    movq 24(%rdi), %r9
1:  vmclear (%rsp)

out:
    popq %rcx
    xorl %eax, %eax
    SEAMRET
    ud2

    .balign 16
idt:
    .fill 16 * GP, 1, 0
    .word 0, CS, 0x8e00, 0
    .quad 0
idt_end:
gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
gdt_end:
idtr:
    .word idt_end - idt - 1
    .quad 0
gdtr:
    .word gdt_end - gdt - 1
    .quad 0

    .section .note.GNU-stack, "", @progbits
