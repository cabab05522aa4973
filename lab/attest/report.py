# SPDX-License-Identifier: GPL-2.0
"""Attestation reports, versions 2 to 5."""

import struct

SIZE = 0x4a0
SIGNED = 0x2a0
ECDSA_P384_SHA384 = 1

# name: (offset, size); what has at most 8 bytes is a number.
LAYOUT = {
    "version": (0x000, 4), "guest_svn": (0x004, 4), "policy": (0x008, 8),
    "family_id": (0x010, 16), "image_id": (0x020, 16), "vmpl": (0x030, 4), "signature_algo": (0x034, 4),
    "current_tcb": (0x038, 8), "platform_info": (0x040, 8), "flags": (0x048, 4),
    "report_data": (0x050, 64), "measurement": (0x090, 48), "host_data": (0x0c0, 32),
    "id_key_digest": (0x0e0, 48), "author_key_digest": (0x110, 48),
    "report_id": (0x140, 32), "report_id_ma": (0x160, 32), "reported_tcb": (0x180, 8),
    "chip_id": (0x1a0, 64), "committed_tcb": (0x1e0, 8),
    "current_build": (0x1e8, 1), "current_minor": (0x1e9, 1), "current_major": (0x1ea, 1),
    "committed_build": (0x1ec, 1), "committed_minor": (0x1ed, 1), "committed_major": (0x1ee, 1),
    "launch_tcb": (0x1f0, 8),
}
LAYOUT_3 = {"cpuid_family": (0x188, 1), "cpuid_model": (0x189, 1), "cpuid_stepping": (0x18a, 1)}
LAYOUT_5 = {"launch_mit_vector": (0x1f8, 8), "current_mit_vector": (0x200, 8)}

POLICY_BITS = {16: "smt", 18: "migration agent", 19: "debug", 20: "single socket", 21: "cxl",
               22: "mem-aes-256-xts", 23: "rapl disabled", 24: "ciphertext hiding", 25: "page swap disabled"}
POLICY_RESERVED_1 = 1 << 17
SIGNING_KEYS = {0: "VCEK", 1: "VLEK", 7: "none"}


class Report:
    def __init__(self, raw):
        if len(raw) < SIZE:
            raise ValueError(f"a report has {SIZE:#x} bytes, not {len(raw):#x}")
        self.raw = raw[:SIZE]
        version = struct.unpack_from("<I", raw)[0]
        if not 2 <= version <= 5:
            raise ValueError(f"report of unknown version {version}")
        layout = {**LAYOUT, **(LAYOUT_3 if version >= 3 else {}), **(LAYOUT_5 if version >= 5 else {})}
        for name, (offset, size) in layout.items():
            value = raw[offset:offset + size]
            setattr(self, name, int.from_bytes(value, "little") if size <= 8 else value)

    @property
    def signing_key(self):
        return SIGNING_KEYS.get(self.flags >> 2 & 7, "unknown")

    @property
    def chip_key_masked(self):
        return bool(self.flags >> 1 & 1)

    @property
    def debug_allowed(self):
        return bool(self.policy >> 19 & 1)

    def signed(self):
        return self.raw[:SIGNED]

    def signature(self):
        """r and s: little-endian, 72 bytes each."""
        return tuple(int.from_bytes(self.raw[at:at + 72], "little") for at in (SIGNED, SIGNED + 72))


def tcb(value):
    """The parts of a TCB version before Turin."""
    return {"bootloader": value & 0xff, "tee": value >> 8 & 0xff, "snp": value >> 48 & 0xff, "microcode": value >> 56}


def policy_text(policy):
    names = [name for bit, name in POLICY_BITS.items() if policy >> bit & 1]
    return f"ABI {policy >> 8 & 0xff}.{policy & 0xff}" + "".join(", " + name for name in names)
