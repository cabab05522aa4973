# SPDX-License-Identifier: GPL-2.0
"""Verify an attestation report of an SNP guest.

Exit code 0: the signature leads to the given root and everything that was asked for holds.
"""

import argparse
import sys

import certs
import measure
import report as reports
import vmsa


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Verifier:
    def __init__(self, args):
        self.args = args
        self.failed = []

    def check(self, what, good, detail=""):
        print(f"{'ok    ' if good else 'FAILED'}  {what}{': ' + detail if detail else ''}")
        if not good:
            self.failed.append(what)

    def attempt(self, what, function, *args):
        try:
            function(*args)
            self.check(what, True)
        except certs.Invalid as error:
            self.check(what, False, str(error))

    def signature(self, rep, leaf):
        self.check("signature algorithm is ECDSA P-384 with SHA-384", rep.signature_algo == reports.ECDSA_P384_SHA384)
        self.attempt(f"report is signed by this {rep.signing_key}", certs.verify_signature, leaf, rep.signed(), rep.signature())
        self.check("certificate is for the reported TCB", certs.tcb_of(leaf) == reports.tcb(rep.reported_tcb),
                   str(reports.tcb(rep.reported_tcb)))
        if rep.signing_key == "VCEK" and not rep.chip_key_masked:
            self.check("certificate is of the chip in the report", certs.chip_of(leaf) == rep.chip_id, rep.chip_id.hex()[:16] + "...")

    def chain(self, rep):
        leaf_name = "vlek" if rep.signing_key == "VLEK" else "vcek"
        middle_name = "asvk" if leaf_name == "vlek" else "ask"
        table = certs.parse_table(read(self.args.table)) if self.args.table else {}
        root = certs.load(self.args.certs, "ark")
        leaf = table.get(leaf_name) or certs.load(self.args.certs, leaf_name)
        middle = table.get("ask") or certs.load(self.args.certs, middle_name)
        self.attempt(f"{leaf_name.upper()} is certified by the platform's root", certs.verify_chain, root, middle, leaf)
        self.signature(rep, leaf)

    def policy(self, rep):
        self.check("policy", bool(rep.policy & reports.POLICY_RESERVED_1), f"{rep.policy:#x}, {reports.policy_text(rep.policy)}")
        if self.args.policy is not None:
            self.check("policy is the expected one", rep.policy == self.args.policy, f"{self.args.policy:#x}")
        self.check("the host may not debug the guest", not rep.debug_allowed or self.args.debug)
        self.check("TCB versions are in order", tcb_le(rep.reported_tcb, rep.current_tcb) and
                   tcb_le(rep.committed_tcb, rep.current_tcb) and tcb_le(rep.launch_tcb, rep.current_tcb))
        self.check("VMPL", rep.vmpl == self.args.vmpl, str(rep.vmpl))

    def report_data(self, rep):
        if self.args.report_data:
            self.check("report data", rep.report_data == read(self.args.report_data), rep.report_data.hex()[:32] + "...")

    def measurement(self, rep):
        args = self.args
        if not args.firmware:
            return
        direct = (read(args.kernel), read(args.initrd) if args.initrd else b"", args.append) if args.kernel else None
        want = measure.launch_digest(read(args.firmware), args.cpus, args.signature, args.features, direct)
        self.check("launch measurement is that of firmware, processors" + (" and kernel" if direct else ""),
                   rep.measurement == want, rep.measurement.hex() if rep.measurement == want else
                   f"report has {rep.measurement.hex()}, computed {want.hex()}")

    def run(self):
        rep = reports.Report(read(self.args.report))
        print(f"        report version {rep.version}, signed by the {rep.signing_key}, firmware "
              f"{rep.current_major}.{rep.current_minor} build {rep.current_build}")
        self.chain(rep)
        self.policy(rep)
        self.report_data(rep)
        self.measurement(rep)
        print("VERIFIED" if not self.failed else "NOT VERIFIED")
        return 1 if self.failed else 0


def tcb_le(low, high):
    return all(value <= reports.tcb(high)[name] for name, value in reports.tcb(low).items())


def number(text):
    return int(text, 0)


def family(text):
    return vmsa.signature(*(int(part, 0) for part in text.split("/")))


def main():
    parser = argparse.ArgumentParser(prog="lab/attest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", help="the report, binary")
    parser.add_argument("--certs", required=True, help="directory with ark, ask and vcek (or asvk, vlek) as .der or .pem")
    parser.add_argument("--table", help="certificate table of the extended report: its VCEK and ASK are used")
    parser.add_argument("--report-data", help="file with the 64 bytes that were asked to be in the report")
    parser.add_argument("--policy", type=number, help="the policy that the guest was launched with")
    parser.add_argument("--vmpl", type=int, default=0)
    parser.add_argument("--debug", action="store_true", help="a policy that allows debugging will do")
    parser.add_argument("--firmware", help="OVMF image: compute the launch measurement")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--signature", type=family, default=vmsa.signature(25, 1, 1), metavar="FAMILY/MODEL/STEPPING",
                        help="of the guest's processor (25/1/1, that of EPYC-Milan)")
    parser.add_argument("--features", type=number, default=vmsa.SEV_FEATURE_SNP, help="SEV features in the VMSA (1)")
    parser.add_argument("--kernel", help="kernel of a direct boot with kernel-hashes=on")
    parser.add_argument("--initrd")
    parser.add_argument("--append", default="")
    try:
        return Verifier(parser.parse_args()).run()
    except (OSError, ValueError, certs.Invalid) as error:
        return f"lab/attest: {error}"


if __name__ == "__main__":
    sys.exit(main())
