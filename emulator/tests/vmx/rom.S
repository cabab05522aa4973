/*
 * VMX tests: firmware that does nothing but start a program
 *
 * The program is in memory already. What firmware sets up, and locks, is as it
 * is after a reset.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define CS32    0x08
#define DS      0x10

    .text
    .globl rom_start
    .code32
rom_start:
    movl $DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %ebx, %ebx             /* there is no multiboot information */
    movl $_start, %eax
    jmp *%eax

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
gdtr:
    .word 23
    .long gdt

    .code16
    .org 0xff00
first:
    cli
    movl $gdtr - rom_start, %ebx
    lgdtl %cs:(%bx)
    movl $0x11, %eax
    movl %eax, %cr0
    ljmpl $CS32, $rom_start

    /* The reset vector */
    .org 0xfff0
    jmp first
    .org 0x10000

    .section .note.GNU-stack, "", @progbits
