# SPDX-License-Identifier: GPL-2.0
"""The first state of a virtual CPU, as QEMU resets it and KVM writes it into the save area."""

import struct

PAGE = 4096
SEV_FEATURE_SNP = 1 << 0

# Offsets in the save area, with the size of the field.
SEGMENTS = {"es": 0x00, "cs": 0x10, "ss": 0x20, "ds": 0x30, "fs": 0x40, "gs": 0x50,
            "gdtr": 0x60, "ldtr": 0x70, "idtr": 0x80, "tr": 0x90}
FIELDS = {"efer": (0x0d0, 8), "cr4": (0x148, 8), "cr0": (0x158, 8), "dr7": (0x160, 8), "dr6": (0x168, 8),
          "rflags": (0x170, 8), "rip": (0x178, 8), "g_pat": (0x268, 8), "rdx": (0x310, 8),
          "sev_features": (0x3b0, 8), "xcr0": (0x3e8, 8), "mxcsr": (0x408, 4), "x87_fcw": (0x410, 2)}

# Attributes in the VMCB's form: type, S, DPL, P.
DATA, CODE, LDT, TSS = 0x93, 0x9b, 0x82, 0x8b

RESET = {
    "efer": 1 << 12,            # SVME, which a guest under SVM always has
    "cr4": 1 << 6,              # MCE, which KVM takes from the host
    "cr0": 0x10,                # ET; KVM clears the cache disable bits
    "dr7": 0x400, "dr6": 0xffff0ff0,
    "rflags": 2,
    "g_pat": 0x0007040600070406,
    "xcr0": 1, "mxcsr": 0x1f80, "x87_fcw": 0x37f,
}


def segment(page, name, selector, attributes, limit, base):
    struct.pack_into("<HHIQ", page, SEGMENTS[name], selector, attributes, limit, base)


def build(start, signature, features):
    """@start: 32-bit address of the first instruction; @signature: CPUID 1 EAX."""
    page = bytearray(PAGE)
    for name in ("es", "ss", "ds", "fs", "gs"):
        segment(page, name, 0, DATA, 0xffff, 0)
    # In real mode, but with the base of a selector that was never loaded.
    segment(page, "cs", 0xf000, CODE, 0xffff, start & 0xffff0000)
    segment(page, "gdtr", 0, 0, 0xffff, 0)
    segment(page, "idtr", 0, 0, 0xffff, 0)
    segment(page, "ldtr", 0, LDT, 0xffff, 0)
    segment(page, "tr", 0, TSS, 0xffff, 0)
    for name, value in {**RESET, "rip": start & 0xffff, "rdx": signature, "sev_features": features}.items():
        offset, size = FIELDS[name]
        page[offset:offset + size] = value.to_bytes(size, "little")
    return bytes(page)


def signature(family, model, stepping):
    """CPUID 1 EAX of an AMD processor."""
    base = min(family, 0xf)
    return ((family - base) << 20 | (model >> 4) << 16 | base << 8 | (model & 0xf) << 4 | stepping)
