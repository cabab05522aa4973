/*
 * SEV-SNP tests: code of the guests. Copied to GUEST_CODE, position
 * independent. Each piece ends with VMGEXIT, which is VMMCALL without SEV-ES.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define GUEST_CODE 0xa000

    .section .guest, "ax"
guest_first:                        /* guest_start: this is all of it */
    .code64

    .macro vmgexit
    .byte 0xf3, 0x0f, 0x01, 0xd9
    .endm

    .macro piece name:req, insn:vararg
    .globl g_\name
g_\name:
    \insn
    .globl g_\name\()_end
g_\name\()_end:
    vmgexit
    .endm

    piece nop, nop
    piece read, movq (%rax), %rbx
    piece write32, movl %ebx, (%rax)
    piece write, movq %rbx, (%rax)
    piece exec, jmp *%rax
    piece cpuid, cpuid
    piece rdmsr, rdmsr
    piece wrmsr, wrmsr
    piece in, inb $0x80, %al
    piece out, outb %al, $0x80
    piece hlt, hlt
    piece pause, pause
    piece vmmcall, vmmcall
    piece wbinvd, wbinvd
    piece invd, invd
    piece invlpg, invlpg (%rax)
    piece invpcid, invpcid (%rax), %rcx
    piece monitor, monitor
    piece mwait, mwait
    piece rdtsc, rdtsc
    piece rdpmc, rdpmc
    piece rdtscp, rdtscp
    piece rdpid, rdpid %rbx
    piece read_dr7, movq %dr7, %rbx
    piece write_dr7, movq %rbx, %dr7
    piece read_cr0, movq %cr0, %rbx
    piece read_cr4, movq %cr4, %rbx
    piece write_cr0, movq %rbx, %cr0
    piece write_cr3, movq %rbx, %cr3
    piece write_cr4, movq %rbx, %cr4
    piece write_cr8, movq %rbx, %cr8
    piece vmrun, vmrun
    piece cli, cli
    piece ud2, ud2

    /* An access that crosses a page, and before it, a count in RDI */
    .macro alias name:req, insn:vararg
    .globl g_count_alias_\name
g_count_alias_\name:
    incq %rdi
    piece alias_\name, \insn
    .endm

    alias load, movq (%rax), %rbx
    alias store, movq %rbx, (%rax)
    alias locked, lock xaddq %rbx, (%rax)
    alias load16, movdqu (%rax), %xmm0
    alias fxsave, fxsave (%rax)
    alias fnsave, fnsave (%rax)
    alias frstor, frstor (%rax)
    alias movdir64b, movdir64b (%rax), %rcx

    .globl g_read_two
g_read_two:
    movq (%rax), %rbx
    movq (%rcx), %rbx
    vmgexit

    /* SNP instructions: result in RAX, carry in R8 */
    .macro snp_piece name:req, bytes:vararg
    .globl g_\name
g_\name:
    .byte \bytes
    setc %r8b
    movzbl %r8b, %r8d
    vmgexit
    .endm

    snp_piece rmpread, 0xf2, 0x0f, 0x01, 0xfd
    snp_piece rmpquery, 0xf3, 0x0f, 0x01, 0xfd
    snp_piece rmpupdate, 0xf2, 0x0f, 0x01, 0xfe
    snp_piece rmpadjust, 0xf3, 0x0f, 0x01, 0xfe
    snp_piece pvalidate, 0xf2, 0x0f, 0x01, 0xff
    snp_piece psmash, 0xf3, 0x0f, 0x01, 0xff

    /* Change registers that only the FPU has, and many others */
    .globl g_scramble
g_scramble:
    fninit
    fld1
    movdqu (%rax), %xmm0
    movdqu %xmm0, %xmm15
    incq %rcx
    incq %rdx
    incq %rbx
    incq %rbp
    incq %rsi
    incq %rdi
    incq %r8
    incq %r9
    incq %r10
    incq %r11
    incq %r12
    incq %r13
    incq %r14
    incq %r15
    vmgexit

    /* Report that it runs (RAX points to a shared page), and stop on request */
    .globl g_spin
g_spin:
    movl $1, (%rax)
1:  pause
    cmpl $0, 8(%rax)
    je 1b
    vmgexit

    /* The same without PAUSE, which ends more than a translation block */
    .globl g_busy
g_busy:
    movl $1, (%rax)
1:  cmpl $0, 8(%rax)
    je 1b
    vmgexit

    /* Exit forever */
    .globl g_exits
g_exits:
1:  vmgexit
    jmp 1b

    /*
     * Into long mode, with CR3 in EAX and CR0 in EBX, with whatever is in TR.
     * Leave EFER in EAX.
     */
    .globl g_long_mode
g_long_mode:
    .code32
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax                /* LME */
    wrmsr
    movl %ebx, %cr0
    ljmp $8, $GUEST_CODE + 1f - guest_first
    .code64
1:  rdmsr
    vmgexit

    /* Exceptions: vector and error code are on the stack at the exit */
    .balign 16
    .globl g_stubs
g_stubs:
    .altmacro
    .macro guest_exception vec
    .balign 16
    .if \vec != 8 && (\vec < 10 || \vec > 14) && \vec != 17 && \vec != 29
    pushq $0
    .endif
    pushq $\vec
    jmp g_trap_common
    .endm
    .set nr, 0
    .rept 64
    guest_exception %nr
    .set nr, nr + 1
    .endr
g_trap_common:
    vmgexit
    .globl g_trap
g_trap:
    hlt

    .section .note.GNU-stack, "", @progbits
