/*
 * VMX tests: key ids of memory, as a host has them
 *
 * Shared key ids are the host's to program. Private ones are for SEAM mode. The
 * runner looks into QEMU's log for the errors that are expected of KEY_LATE and
 * KEY_NEVER, and for no others.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define KEYID_SHIFT     46
#define KEY(n)          ((u64)(n) << KEYID_SHIFT)
#define FIRST_PRIVATE   32
#define KEY_GOOD        1       /* programmed as it should be */
#define KEY_LATE        2       /* programmed again without a write-back */
#define KEY_NEVER       3       /* not programmed */
#define KEY_OTHER       4
#define SET_RANDOM      1
#define AES_XTS_128     1

#define CR4_OSFXSR      BIT(9)
#define DATA            0x10000000ULL           /* a page, without key id */
#define ALIAS           0x10200000ULL           /* where it is with one */
#define VALUE           0x1122334455667788ULL
#define CODE            0x10010000ULL           /* two pages */
#define WALKED          0x10400000ULL           /* where DATA is the table */
#define RSVD            9                       /* #PF: reserved bit, present */

/* MKTME_KEY_PROGRAM */
static struct {
    u16 keyid;
    u32 control;
    u8 rest[250];
} __attribute__((packed, aligned(256))) program;

static u64 pconfig(u16 keyid)
{
    u64 ret = 0;

    program.keyid = keyid;
    program.control = SET_RANDOM | AES_XTS_128 << 8;
    asm volatile(".byte 0x0f, 0x01, 0xc5"
                 : "+a"(ret) : "b"(&program), "c"(0), "d"(0) : "memory", "cc");
    return ret;
}

static void wbinvd(void)
{
    asm volatile("wbinvd" : : : "memory");
}

static void clear_line(u64 addr)
{
    static const u8 zero[64] __attribute__((aligned(64)));

    asm volatile("movdir64b (%1), %0" : : "r"(addr), "r"(zero) : "memory");
}

/* DATA is at ALIAS, with the key id */
static void map_alias(unsigned int keyid)
{
    *host_pte(ALIAS) = DATA | KEY(keyid) | PTE_P | PTE_W;
    flush_tlb();
}

static void fxsave(u64 addr)
{
    asm volatile("fxsave (%0)" : : "r"(addr) : "memory");
}

static void test_reserved(void)
{
    u64 val, cr3 = read_cr3();

    map_alias(FIRST_PRIVATE);
    check_eq(try_read(ALIAS, &val), PF, "a page with a private key id");
    check_eq(trap()->err, RSVD, "the key id is reserved");
    boot_pd[ALIAS >> 21] |= KEY(FIRST_PRIVATE);
    flush_tlb();
    check_eq(try_read(ALIAS, &val), PF, "a table with a private key id");
    check_eq(trap()->err, RSVD, "it is reserved there, too");
    boot_pd[ALIAS >> 21] &= ~KEY(FIRST_PRIVATE);
    trap()->vec = NO_TRAP;
    asm volatile(EX("mov %0, %%cr3")
                 : : "r"(cr3 | KEY(FIRST_PRIVATE)) : "memory");
    check_eq(trap()->vec, GP, "MOV to CR3 with a private key id");
    check_eq(read_cr3(), cr3, "CR3 has not changed");
}

static void test_alias(void)
{
    int i;

    for (i = 0; i < 512; i++) {
        wr(DATA + 8 * i, VALUE + i);
    }
    check_eq(pconfig(KEY_GOOD), 0, "PCONFIG of a shared key id");
    map_alias(KEY_GOOD);
    check(rd(ALIAS) != VALUE, "another key id reads ciphertext");
    check_eq(rd(DATA), VALUE, "which has no effect on the content");
    wr(ALIAS, VALUE);
    check_eq(rd(ALIAS), VALUE, "what it has written");
    check(rd(ALIAS + 8) != VALUE + 1, "the rest of the line is ciphertext");
    check(rd(DATA) != VALUE, "the line is ciphertext without the key id");
    check_eq(rd(DATA + 16), VALUE + 2, "but for blocks that were not written");
    check_eq(rd(DATA + 64), VALUE + 8, "the next line is as it was");
    clear_line(DATA);
    check_eq(rd(DATA), 0, "MOVDIR64B writes a line with its own key id");
    check_eq(rd(DATA + 56), 0, "all of it");
    check(rd(ALIAS) != 0, "the other one reads it as ciphertext");
    asm volatile("lock addq %1, (%0)" : : "r"(ALIAS + 64), "r"(1ULL)
                 : "memory");
    check(rd(ALIAS + 64) != VALUE + 9, "an atomic operation does, too");
}

/* A page that has all of its lines from one key id is not special any more. */
static void test_page(void)
{
    int i, good = 0, hidden = 0;

    for (i = 0; i < 512; i++) {
        wr(ALIAS + 8 * i, VALUE + i);
    }
    for (i = 0; i < 512; i++) {
        good += rd(ALIAS + 8 * i) == VALUE + i;
        hidden += rd(DATA + 8 * i) != VALUE + i;
    }
    check_eq(good, 512, "a page with a key id");
    check_eq(hidden, 512, "all of it is ciphertext without");
}

static void test_program(void)
{
    wbinvd();
    check_eq(pconfig(KEY_GOOD), 0, "PCONFIG after WBINVD");
    check(rd(ALIAS) != VALUE, "content is lost with the key");
    wr(ALIAS, VALUE);
    check_eq(rd(ALIAS), VALUE, "the new key");
    check_eq(pconfig(KEY_LATE), 0, "PCONFIG of another key id");
    map_alias(KEY_LATE);
    wr(ALIAS, VALUE);
    check_eq(pconfig(KEY_LATE), 0, "PCONFIG without WBINVD");
    check(rd(ALIAS) != VALUE, "it changes the key as well");
    check_eq(pconfig(KEY_OTHER), 0, "PCONFIG of a key id that nobody uses");
    check_eq(pconfig(KEY_OTHER), 0, "once more");
    map_alias(KEY_NEVER);
    wr(ALIAS, VALUE);
    check_eq(rd(ALIAS), VALUE, "a key id without a key");
}

/* An access of 64 bytes that does not write all of them */
static void test_partial(void)
{
    u64 before, i;

    for (i = 0; i < 8; i++) {
        wr(DATA + 8 * i, VALUE + i);
    }
    map_alias(KEY_GOOD);
    *host_pte(ALIAS - PAGE) = (DATA - PAGE) | PTE_P | PTE_W;
    flush_tlb();
    before = rd(ALIAS + 56);
    write_cr4(read_cr4() | CR4_OSFXSR);
    fxsave(ALIAS - 448);
    check_eq(rd(ALIAS + 56), before, "what FXSAVE does not write of a line");
    *host_pte(ALIAS - PAGE) = 0;
}

/* A page table with a key id, of which a line has another one */
static void test_walk(void)
{
    static const u8 code[] = { 0xb8, 7, 0, 0, 0, 0xc3 };    /* return 7; */
    u64 i, val, end = WALKED + PAGE - 3;

    for (i = 0; i < sizeof(code); i++) {
        *(u8 *)(CODE + PAGE - 3 + i) = code[i];
    }
    map_alias(KEY_GOOD);
    for (i = 0; i < 512; i++) {
        wr(ALIAS + 8 * i, 0);
    }
    wr(ALIAS, CODE | PTE_P | PTE_W);
    wr(ALIAS + 8, (CODE + PAGE) | PTE_P | PTE_W);
    wr(DATA + 8 * 8, VALUE);
    boot_pd[WALKED >> 21] = DATA | KEY(KEY_GOOD) | PTE_A | PTE_P | PTE_W;
    flush_tlb();
    try_read(WALKED + 8 * PAGE, &val);
    /* The walk for the second page of a block sets a flag. */
    check_eq(((u64 (*)(void))end)(), 7, "a block, and its pages' table");
    check(rd(ALIAS + 8) & PTE_A, "the table has a flag set");
    wbinvd();
    check_eq(pconfig(KEY_GOOD), 0, "PCONFIG of the table's key id");
    check_eq(rd(DATA + 8 * 8), VALUE, "a walk that reads takes no line");
    boot_pd[WALKED >> 21] = 0;
    flush_tlb();
}

/* The guest reads DATA. */
void g_read_data(void);
asm(".pushsection .text\n"
    "g_read_data: mov (%rdi), %rax\nvmcall\n"
    ".popsection");

static void guest_reads(u64 bits)
{
    vm_init(g_read_data);
    guest_regs[7] = DATA;
    vm_controls(0, 0, PROC2_EPT);
    vset(F_EXCEPTIONS, BIT(MC));
    ept_init();
    *ept_entry(DATA) |= bits;
}

static void test_ept(void)
{
    vmx_on();
    map_alias(KEY_GOOD);
    wr(ALIAS, VALUE);
    guest_reads(KEY(KEY_GOOD));
    vm_exits(X_VMCALL, "a guest's page with a shared key id");
    check_eq(guest_regs[0], VALUE, "the guest reads with that");
    guest_reads(0);
    vm_exits(X_VMCALL, "the page without key id");
    check(guest_regs[0] != VALUE, "the guest reads ciphertext");
    guest_reads(KEY(FIRST_PRIVATE));
    vm_exits(X_EPT_MISCONFIG, "a private key id in EPT is a misconfiguration");
    guest_reads(0);
    vset(F_EPTP, vget(F_EPTP) | KEY(KEY_GOOD));
    check_eq(invept(1, vget(F_EPTP), 0), VM_OK, "INVEPT, shared key id");
    vset(F_EPTP, vget(F_EPTP) | KEY(FIRST_PRIVATE));
    check_eq(vm_enter(), VM_FAIL_VALID, "VM entry, a private key id in EPTP");
    check_eq(vget(F_INSN_ERROR), 7, "its error");
    check_eq(invept(1, vget(F_EPTP), 0), VM_FAIL_VALID,
             "INVEPT with a private key id");
}

/* The guest loads CR3. */
void g_load_cr3(void);
asm(".pushsection .text\n"
    "g_load_cr3: mov %rdi, %cr3\nvmcall\n"
    ".popsection");

static void guest_loads_cr3(u64 cr3, u64 proc2, u64 reason, const char *what)
{
    vm_init(g_load_cr3);
    guest_regs[7] = cr3;
    vm_controls(0, 0, proc2);
    vset(F_PROC, vget(F_PROC) & ~(PROC_CR3_LOAD | PROC_CR3_STORE));
    vset(F_EXCEPTIONS, BIT(GP) | BIT(MC));
    if (proc2 & PROC2_EPT) {
        ept_init();
    }
    vm_exits(reason, what);
}

static void test_guest_cr3(void)
{
    guest_loads_cr3(read_cr3() | KEY(FIRST_PRIVATE), 0, X_EXCEPTION,
                    "MOV to CR3 with a private key id in a guest");
    check_eq(vget(F_INTR) & 0xff, GP, "it is a #GP");
    check_eq(vget(F_GUEST_CR3), read_cr3(), "the guest's CR3 is what it was");
    vmxoff();
}

void test_main(void)
{
    /* Where something is wrong, it should not be a reset. */
    write_cr4(read_cr4() | CR4_MCE);
    test_reserved();
    test_alias();
    test_page();
    test_program();
    test_partial();
    test_walk();
    test_ept();
    test_guest_cr3();
}
