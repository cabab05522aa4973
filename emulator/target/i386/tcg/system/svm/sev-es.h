/*
 * AMD SEV, SEV-ES and SEV-SNP guests: VMRUN and #VMEXIT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_SEV_ES_H
#define TCG_SEV_ES_H

#include "cpu.h"

/*
 * True if the CPU may write to @spa for the hypervisor (VMCB, host save area).
 */
bool sev_host_page_ok(CPUX86State *env, hwaddr spa);

/* True if VM_HSAVE_PA may be set to @spa. */
bool sev_hsave_ok(CPUX86State *env, hwaddr spa);

/*
 * VMRUN, with the VMCB at @spa, which is in use until #VMEXIT. Returns false
 * without side effects if VMRUN has to raise #GP.
 */
bool sev_vmcb_begin(CPUX86State *env, hwaddr spa);

/*
 * VMRUN and #VMEXIT access VMCB, host save area and VMSA by their addresses in
 * memory from now on. A guest may have mapped any of them with its key.
 */
void sev_pages_begin(CPUX86State *env);

/*
 * VMRUN, after the host's state is saved and before any of the guest's is
 * loaded: determine the kind of the guest. False if it cannot be entered (exit
 * code VMEXIT_INVALID); sets *@busy if its VMSA is in use.
 */
bool sev_vmrun_begin(CPUX86State *env, uint64_t nested_ctl, uint32_t asid,
                     bool *busy);

/*
 * VMRUN of a guest with encrypted state: load all of its registers. False if
 * the state is invalid.
 */
bool sev_es_load_guest(CPUX86State *env);

/*
 * #VMEXIT: store the guest's registers, and load the rest of the host's state.
 */
void sev_es_store_guest(CPUX86State *env);
void sev_es_load_host(CPUX86State *env);

/* The kind of the running guest, for traces. */
const char *sev_guest_type(CPUX86State *env);

/*
 * False for software interrupts, #BP and #OF if the guest's state is encrypted.
 */
bool sev_es_may_inject(CPUX86State *env, uint32_t event_inj);

/* True if an SNP guest always exits for this reason, whatever the VMCB says. */
bool sev_always_intercepted(CPUX86State *env, uint32_t exit_code);

/* The end of #VMEXIT, for any guest. */
void sev_vmexit_end(CPUX86State *env);

/*
 * True if an exit for this reason is automatic (AE). All others are
 * non-automatic (NAE): a guest with encrypted state gets #VC instead.
 */
bool sev_es_automatic_exit(CPUX86State *env, uint64_t exit_code,
                           uint64_t exit_info_1);

#endif
