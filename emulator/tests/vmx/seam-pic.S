/*
 * VMX tests: a position-independent module for SEAM mode
 *
 * RAX is the leaf, RCX and RDX are operands. An exception ends a call with
 * RAX = -1 and its vector in R9.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
    .text
    .globl seam_entry
seam_entry:
    /* The host's RIP is that of SEAMCALL. */
    movl $0x681e, %esi
    vmread %rsi, %rdi
    addq $4, %rdi
    vmwrite %rdi, %rsi
    leaq leaves(%rip), %rdi
    /* Relocated pointers */
    jmp *(%rdi, %rax, 8)

leaf_read:
    movq (%rcx), %rdx
    jmp seamret
leaf_write:
    movq %rdx, (%rcx)
    jmp seamret
leaf_write_user:
    stac
    movq %rdx, (%rcx)
    clac
    jmp seamret
leaf_flush:
    invlpg (%rcx)
    jmp seamret
leaf_cpuid:
    movl %ecx, %eax
    movl %edx, %ecx
    cpuid
    movl %eax, %r8d
    movl %ebx, %r9d
    movl %ecx, %r10d
    movl %edx, %r11d
    jmp seamret
leaf_rdmsr:
    rdmsr
    shlq $32, %rdx
    orq %rax, %rdx
    jmp seamret
leaf_wrmsr:
    movl %edx, %eax
    shrq $32, %rdx
    wrmsr
    jmp seamret
leaf_vmread:
    xorl %r9d, %r9d
    vmread %rcx, %rdx
    setna %r9b
    jmp seamret
leaf_vmwrite:
    xorl %r9d, %r9d
    vmwrite %rdx, %rcx
    setna %r9b
    jmp seamret
leaf_regs:
    rdfsbase %r8
    rdgsbase %r9
    movq %rsp, %r10
    movq %cr4, %r11
    leaq seam_entry(%rip), %r12
    jmp seamret
/* RCX: SEAMOPS leaf; RBX, RDX, R8 to R15 are operands, too. */
leaf_seamops:
    movq %rcx, %rax
    movq %rbp, %rcx
    .byte 0x66, 0x0f, 0x01, 0xce
    movq %rax, %rcx
    jmp seamret
leaf_ud:
    ud2
/* The GDT has the code segment. */
leaf_gdt:
    pushq $8
    leaq seamret(%rip), %rdx
    pushq %rdx
    lretq

seamret:
    xorl %eax, %eax
    .byte 0x66, 0x0f, 0x01, 0xcd
    ud2

    .balign 16
    .globl handlers
handlers:
    .set vector, 0
    .rept 32
    .balign 16
    movl $vector, %r9d
    jmp fault
    .set vector, vector + 1
    .endr
fault:
    movq $-1, %rax
    .byte 0x66, 0x0f, 0x01, 0xcd
    ud2

    /* The loader puts offsets into the gates that are present. */
    .section .rodata, "a"
    .balign 4096
    .globl tables
tables:
    .rept 15
    .quad 0x00008e0000080000, 0
    .endr
    .rept 17
    .quad 0, 0
    .endr
    .balign 2048
    .quad 0, 0x00209b0000000000
    .balign 4096

    .data
    .balign 4096
leaves:
    .quad leaf_read, leaf_write, leaf_write_user, leaf_flush, leaf_cpuid
    .quad leaf_rdmsr, leaf_wrmsr, leaf_vmread, leaf_vmwrite, leaf_regs
    .quad leaf_seamops, leaf_ud, leaf_gdt

    .section .note.GNU-stack, "", @progbits
