/*
 * AMD SEV, SEV-ES and SEV-SNP guests: VMRUN and #VMEXIT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_SEV_ES_H
#define TCG_SEV_ES_H

#include "cpu.h"

/* May the CPU write to @spa for the hypervisor (a VMCB, the host save area)? */
bool sev_host_page_ok(CPUX86State *env, hwaddr spa);

/* May VM_HSAVE_PA be set to @spa? */
bool sev_hsave_ok(CPUX86State *env, hwaddr spa);

/*
 * VMRUN, with the VMCB at @spa, which is in use until #VMEXIT. False, with
 * nothing done, if VMRUN is to raise #GP.
 */
bool sev_vmcb_begin(CPUX86State *env, hwaddr spa);

/*
 * VMRUN, after the host's state is saved and before any of the guest's is
 * loaded: what kind of guest it is. False if it cannot be entered (exit code
 * VMEXIT_INVALID); *@busy if that is because its VMSA is in use.
 */
bool sev_vmrun_begin(CPUX86State *env, uint64_t nested_ctl, uint32_t asid,
                     bool *busy);

/*
 * VMRUN of a guest with encrypted state: load all of its registers. False if
 * the state is not valid.
 */
bool sev_es_load_guest(CPUX86State *env);

/* #VMEXIT: store them, and load what the host gets back besides. */
void sev_es_store_guest(CPUX86State *env);
void sev_es_load_host(CPUX86State *env);

/* What kind of guest runs, for traces. */
const char *sev_guest_type(CPUX86State *env);

/* A guest with encrypted state gets no software interrupts, #BP or #OF. */
bool sev_es_may_inject(CPUX86State *env, uint32_t event_inj);

/* What an SNP guest cannot do without an exit, whatever the VMCB says. */
bool sev_always_intercepted(CPUX86State *env, uint32_t exit_code);

/* #VMEXIT of any guest, at its end. */
void sev_vmexit_end(CPUX86State *env);

/*
 * Is an exit for this reason automatic (AE)? The others of a guest with
 * encrypted state are non-automatic (NAE): it gets #VC instead.
 */
bool sev_es_automatic_exit(CPUX86State *env, uint64_t exit_code,
                           uint64_t exit_info_1);

#endif
