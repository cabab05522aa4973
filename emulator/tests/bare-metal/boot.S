/*
 * Bare-metal tests: from multiboot (or a start-up IPI) to 64-bit C
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define CS64            0x08
#define DS              0x10
#define CS32            0x18
#define USER_CS         0x23
#define USER_DS         0x2b
#define MSR_EFER        0xc0000080
#define EFER_BITS       0x900           /* LME, NXE */
#define CR4_BITS        0x6a0           /* PAE, PGE, OSFXSR, OSXMMEXCPT */
#define CR0_BITS        0x80010033      /* PG, WP, NE, ET, MP, PE */
#define EFER_LME        0x100
#define CR4_PAE         0x20
#define CR0_PG          0x80000000
#define AP_BASE         0x8000
#define LAPIC_ID        0xfee00020

/* Registers that a C function must preserve, in the order of pushing */
    .macro save_callee
    .irp reg, rbx, rbp, r12, r13, r14, r15
    pushq %\reg
    .endr
    .endm
    .macro restore_callee
    .irp reg, r15, r14, r13, r12, rbp, rbx
    popq %\reg
    .endr
    .endm

/*
 * Load the general registers from memory at RSI, or store them there, in the
 * order of the VMSA. Except RAX and RSP, which the caller handles, and RSI,
 * whose slot is SI.
 */
#define SI 32
    .macro move_gprs store
    .set at, 0
    .irp reg, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    .if at != SI
    .if \store
    movq %\reg, at(%rsi)
    .else
    movq at(%rsi), %\reg
    .endif
    .endif
    .set at, at + 8
    .endr
    .endm

    .section .multiboot, "a"
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

    .text
    .code32
    .globl _start
_start:
    cli
    movl %ebx, boot_info
    /* Identity map of 4 GiB with 2 MiB pages */
    movl $boot_pd, %edi
    movl $0x87, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    movl $boot_pdpt, %edi
    movl $boot_pd + 7, %eax
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    loop 2b
    movl $boot_pdpt + 7, boot_pml4
    movl $boot_stack_end, %esp
    lgdt boot_gdtr
    ljmp $CS32, $enter_long

enter_long:
    movl $DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl $CR4_BITS, %eax
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_BITS, %eax
    wrmsr
    movl $CR0_BITS, %eax
    movl %eax, %cr0
    ljmp $CS64, $start64

    .code64
start64:
    movl %esp, %esp
    cmpl $boot_stack_end, %esp
    jne 1f
    call cpu_init
    call test_start
1:  call cpu_init
    call ap_main
2:  hlt
    jmp 2b

    .balign 16
    .globl exception_stubs
exception_stubs:
    .altmacro
    .macro exception vec
    .balign 16
    .if \vec != 8 && (\vec < 10 || \vec > 14) && \vec != 17 && \vec < 29
    pushq $0
    .endif
    pushq $\vec
    jmp exception_common
    .endm
    .set nr, 0
    .rept 32
    exception %nr
    .set nr, nr + 1
    .endr

    /* trap_handler(struct frame *) may change the frame's rip */
exception_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    leaq 72(%rsp), %rdi
    cld
    call trap_handler
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

    /*
     * vmrun_asm(vmcb, gprs): the general registers except RAX and RSP are
     * loaded from and stored to gprs, in the order of the VMSA.
     */
    .globl vmrun_asm
vmrun_asm:
    save_callee
    pushq %rsi
    movq %rdi, %rax
    move_gprs 0
    movq SI(%rsi), %rsi
1:  vmrun
2:  pushq %rsi
    movq 8(%rsp), %rsi
    move_gprs 1
    movq %rsi, %rax
    popq %rsi
    movq %rsi, SI(%rax)
    addq $8, %rsp
    restore_callee
    stgi
    ret
    .section .extable, "a"
    .quad 1b, 2b

    .text
    /* run_user(fn): run at CPL 3 until an exception */
    .globl run_user, user_return, user_rsp
run_user:
    save_callee
    movq %rsp, user_rsp(%rip)
    pushq $USER_DS
    pushq $user_stack_end
    pushq $2
    pushq $USER_CS
    pushq %rdi
    iretq
user_return:
    restore_callee
    ret

    /*
     * round_trip(seen): out of long mode, as firmware and kexec do it (paging
     * first, then EFER.LME and CR4.PAE), and into it again. EFER with paging
     * off, EFER and CR4 without both bits, CR0 without paging go to seen[4].
     * All four are below 4 GiB: code, stack, page tables, @seen.
     */
    .globl round_trip
round_trip:
    save_callee
    movq %cr3, %rbp
    pushq $CS32
    pushq $out_of_long
    lretq
    .code32
out_of_long:
    movl %cr0, %esi
    movl %esi, %eax
    andl $~CR0_PG, %eax
    movl %eax, %cr0
    movl %cr0, %eax
    movl %eax, 24(%edi)
    movl $MSR_EFER, %ecx
    rdmsr
    movl %eax, (%edi)
    movl %eax, %ebx
    andl $~EFER_LME, %eax
    wrmsr
    rdmsr
    movl %eax, 8(%edi)
    movl %cr4, %eax
    andl $~CR4_PAE, %eax
    movl %eax, %cr4
    movl %cr4, %ecx
    movl %ecx, 16(%edi)
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl %ebp, %cr3
    movl $MSR_EFER, %ecx
    movl %ebx, %eax
    wrmsr
    movl %esi, %cr0
    ljmp $CS64, $into_long
    .code64
into_long:
    restore_callee
    ret

    .section .ap, "ax"
    .code16
ap_first:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl AP_BASE + ap_gdtr - ap_first
    movl $0x11, %eax
    movl %eax, %cr0
    ljmpl $CS32, $AP_BASE + ap32 - ap_first
    .code32
ap32:
    movl $DS, %eax
    movl %eax, %ss
    movl %ss:LAPIC_ID, %esp         /* one stack each */
    shrl $24, %esp
    shll $14, %esp
    addl $boot_stack_end, %esp
    ljmp $CS32, $enter_long
ap_gdtr:
    .word 63
    .long boot_gdt

    .data
    .balign 16
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00cf9b000000ffff
    .quad 0x00affb000000ffff        /* CPL 3: code, data */
    .quad 0x00cff3000000ffff
    .quad 0, 0                      /* TSS */
boot_gdtr:
    .word 63
    .long boot_gdt, 0

    .bss
    .balign 4096
    .globl boot_pml4, boot_pdpt, boot_pd
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pd:
    .skip 4 * 4096
    .skip 16384
boot_stack_end:
    .skip 3 * 16384
    .skip 4096
user_stack_end:
user_rsp:
    .skip 16
    .globl boot_info
boot_info:                              /* multiboot's, in the lower half */
    .skip 8

    .section .note.GNU-stack, "", @progbits
