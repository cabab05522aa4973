/*
 * VMX tests: SEAMCALL, TDCALL, and the first instructions of a TD
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define CS64            0x08
#define DS              0x10
#define CS32            0x18
#define CR4_BITS        0x6e0           /* MCE, and as in boot.S */
#define CR0_BITS        0x80010033      /* PG, WP, NE, ET, MP, PE */
#define STACK_SHIFT     14
#define MSR_EOI         0x80b

    .text
    .code64
    /* name(struct td_regs *): all registers but RSP, in and out */
    .macro regs_call name, opcode
    .globl \name
\name:
    .irp reg, rbx, rbp, r12, r13, r14, r15
    pushq %\reg
    .endr
    pushq %rdi
    .set at, 0
    .irp reg, rax,rcx,rdx,rbx,rsp,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15
    .ifnc \reg, rsp
    .ifnc \reg, rdi
    movq at(%rdi), %\reg
    .endif
    .endif
    .set at, at + 8
    .endr
    movq 56(%rdi), %rdi
    stc
1:  .byte 0x66, 0x0f, 0x01, \opcode
2:  pushfq
    pushq %rdi
    movq 16(%rsp), %rdi
    .set at, 0
    .irp reg, rax,rcx,rdx,rbx,rsp,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15
    .ifnc \reg, rsp
    .ifnc \reg, rdi
    movq %\reg, at(%rdi)
    .endif
    .endif
    .set at, at + 8
    .endr
    popq 56(%rdi)
    popq %rax
    popq %rdi
    .irp reg, r15, r14, r13, r12, rbp, rbx
    popq %\reg
    .endr
    ret
    .pushsection .extable, "a"
    .quad 1b, 2b
    .popsection
    .endm

    regs_call seam_call, 0xcf
    regs_call td_call, 0xcc

    /*
     * A vCPU starts in 32-bit protected mode, with its index in ESI. The reset
     * vector jumps here.
     */
    .code32
    .globl td_start
td_start:
    movl %esi, %ebp
    leal 1(%esi), %esp
    shll $STACK_SHIFT, %esp
    addl $td_stacks, %esp
    lgdt td_gdtr
    ljmp $CS32, $1f
1:  movl $DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl $CR4_BITS, %eax
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    /* IA32_EFER.LME and NXE are set. */
    movl $CR0_BITS, %eax
    movl %eax, %cr0
    ljmp $CS64, $2f
    .code64
2:  movl %esp, %esp
    call cpu_init
    movl %ebp, %edi
    call tdg_main

    /* An interrupt and an NMI of a TD */
    .globl tdg_irq
tdg_irq:
    pushq %rax
    pushq %rcx
    pushq %rdx
    incl tdg_irqs(%rip)
    movl $MSR_EOI, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    wrmsr
    popq %rdx
    popq %rcx
    popq %rax
    iretq

    .globl tdg_nmi
tdg_nmi:
    incl tdg_nmis(%rip)
    iretq

    .data
    .globl tdg_irqs, tdg_nmis
tdg_irqs:
    .long 0
tdg_nmis:
    .long 0
td_gdtr:
    .word 63
    .long boot_gdt

    .section .note.GNU-stack, "", @progbits
