"""Tables of pseudo-instructions, by what they need: the base, control registers, floating point, vectors.

The table of the RISC-V Assembly Programmer's Manual, section "pseudoinstructions", that of the Unprivileged ISA
Specification 20240411, and the notes to the instructions of its chapter 31 (vectors).
"""

from __future__ import annotations

Table = dict[str, dict[int, tuple[str, ...]]]
"""Mnemonic -> number of operands -> instructions it stands for.

{0}, {1}, ... are its operands, {b} and {h} the bits above a byte and a halfword in a register.
"""

_BASE: Table = {
    "nop": {0: ("addi zero, zero, 0",)},
    "mv": {2: ("addi {0}, {1}, 0",)},
    "not": {2: ("xori {0}, {1}, -1",)},
    "neg": {2: ("sub {0}, zero, {1}",)},
    "negw": {2: ("subw {0}, zero, {1}",)},
    "sext.w": {2: ("addiw {0}, {1}, 0",)},
    "sext.b": {2: ("slli {0}, {1}, {b}", "srai {0}, {0}, {b}")},
    "sext.h": {2: ("slli {0}, {1}, {h}", "srai {0}, {0}, {h}")},
    "zext.b": {2: ("andi {0}, {1}, 255",)},
    "zext.h": {2: ("slli {0}, {1}, {h}", "srli {0}, {0}, {h}")},
    "zext.w": {2: ("slli {0}, {1}, 32", "srli {0}, {0}, 32")},
    "seqz": {2: ("sltiu {0}, {1}, 1",)},
    "snez": {2: ("sltu {0}, zero, {1}",)},
    "sltz": {2: ("slt {0}, {1}, zero",)},
    "sgtz": {2: ("slt {0}, zero, {1}",)},
    "sgt": {3: ("slt {0}, {2}, {1}",)},
    "sgtu": {3: ("sltu {0}, {2}, {1}",)},
    "beqz": {2: ("beq {0}, zero, {1}",)},
    "bnez": {2: ("bne {0}, zero, {1}",)},
    "blez": {2: ("bge zero, {0}, {1}",)},
    "bgez": {2: ("bge {0}, zero, {1}",)},
    "bltz": {2: ("blt {0}, zero, {1}",)},
    "bgtz": {2: ("blt zero, {0}, {1}",)},
    "bgt": {3: ("blt {1}, {0}, {2}",)},
    "ble": {3: ("bge {1}, {0}, {2}",)},
    "bgtu": {3: ("bltu {1}, {0}, {2}",)},
    "bleu": {3: ("bgeu {1}, {0}, {2}",)},
    "j": {1: ("jal zero, {0}",)},
    "jal": {1: ("jal ra, {0}",)},
    "ret": {0: ("jalr zero, 0(ra)",)},
    "la": {2: ("auipc {0}, %pcrel_hi({1})", "addi {0}, {0}, %pcrel_lo(.-4)")},
    "lla": {2: ("auipc {0}, %pcrel_hi({1})", "addi {0}, {0}, %pcrel_lo(.-4)")},
    "call": {
        1: ("auipc ra, %pcrel_hi({0})", "jalr ra, %pcrel_lo(.-4)(ra)"),
        2: ("auipc {0}, %pcrel_hi({1})", "jalr {0}, %pcrel_lo(.-4)({0})"),
    },
    "tail": {1: ("auipc t1, %pcrel_hi({0})", "jalr zero, %pcrel_lo(.-4)(t1)")},
    "jump": {2: ("auipc {1}, %pcrel_hi({0})", "jalr zero, %pcrel_lo(.-4)({1})")},
    "fence": {0: ("fence iorw, iorw",)},
    "pause": {0: ("fence w, 0",)},
    "scall": {0: ("ecall",)},
    "sbreak": {0: ("ebreak",)},
}

_CONTROL: Table = {
    "csrr": {2: ("csrrs {0}, {1}, zero",)},
    "csrw": {2: ("csrrw zero, {0}, {1}",)},
    "csrs": {2: ("csrrs zero, {0}, {1}",)},
    "csrc": {2: ("csrrc zero, {0}, {1}",)},
    "csrwi": {2: ("csrrwi zero, {0}, {1}",)},
    "csrsi": {2: ("csrrsi zero, {0}, {1}",)},
    "csrci": {2: ("csrrci zero, {0}, {1}",)},
    **{f"rd{name}": {1: (f"csrrs {{0}}, {name}, zero",)} for name in
       ("cycle", "time", "instret", "cycleh", "timeh", "instreth")},
    "unimp": {0: ("csrrw zero, 0xC00, zero",)},
}  # fmt: skip


def _float() -> Table:
    table: Table = {
        "fmv.x.s": {2: ("fmv.x.w {0}, {1}",)},
        "fmv.s.x": {2: ("fmv.w.x {0}, {1}",)},
    }
    for kind in "hsd":
        table |= {
            f"fmv.{kind}": {2: (f"fsgnj.{kind} {{0}}, {{1}}, {{1}}",)},
            f"fneg.{kind}": {2: (f"fsgnjn.{kind} {{0}}, {{1}}, {{1}}",)},
            f"fabs.{kind}": {2: (f"fsgnjx.{kind} {{0}}, {{1}}, {{1}}",)},
            f"fgt.{kind}": {3: (f"flt.{kind} {{0}}, {{2}}, {{1}}",)},
            f"fge.{kind}": {3: (f"fle.{kind} {{0}}, {{2}}, {{1}}",)},
        }
    for name, address in (("flags", "0x001"), ("rm", "0x002"), ("csr", "0x003")):
        table[f"fr{name}"] = {1: (f"csrrs {{0}}, {address}, zero",)}
        table[f"fs{name}"] = {1: (f"csrrw zero, {address}, {{0}}",), 2: (f"csrrw {{0}}, {address}, {{1}}",)}
        if name != "csr":
            table[f"fs{name}i"] = {1: (f"csrrwi zero, {address}, {{0}}",), 2: (f"csrrwi {{0}}, {address}, {{1}}",)}
    return table


# with a mask as one operand more, where they have one
_MASKED = {
    "vneg.v": (2, "vrsub.vx {0}, {1}, zero"),
    "vnot.v": (2, "vxor.vi {0}, {1}, -1"),
    "vwcvt.x.x.v": (2, "vwadd.vx {0}, {1}, zero"),
    "vwcvtu.x.x.v": (2, "vwaddu.vx {0}, {1}, zero"),
    "vncvt.x.x.w": (2, "vnsrl.wx {0}, {1}, zero"),
    "vfneg.v": (2, "vfsgnjn.vv {0}, {1}, {1}"),
    "vfabs.v": (2, "vfsgnjx.vv {0}, {1}, {1}"),
    "vmsgt.vv": (3, "vmslt.vv {0}, {2}, {1}"),
    "vmsgtu.vv": (3, "vmsltu.vv {0}, {2}, {1}"),
    "vmsge.vv": (3, "vmsle.vv {0}, {2}, {1}"),
    "vmsgeu.vv": (3, "vmsleu.vv {0}, {2}, {1}"),
    "vmfgt.vv": (3, "vmflt.vv {0}, {2}, {1}"),
    "vmfge.vv": (3, "vmfle.vv {0}, {2}, {1}"),
    "vmslt.vi": (3, "vmsle.vi {0}, {1}, ({2}) - 1"),
    "vmsge.vi": (3, "vmsgt.vi {0}, {1}, ({2}) - 1"),
    "vmsltu.vi": (3, "vmsleu.vi {0}, {1}, ({2}) - 1"),
    "vmsgeu.vi": (3, "vmsgtu.vi {0}, {1}, ({2}) - 1"),
    "vpopc.m": (2, "vcpop.m {0}, {1}"),
    "vfredsum.vs": (3, "vfredusum.vs {0}, {1}, {2}"),
    "vfwredsum.vs": (3, "vfwredusum.vs {0}, {1}, {2}"),
}


def _vector() -> Table:
    table: Table = {
        "vmmv.m": {2: ("vmand.mm {0}, {1}, {1}",)},
        "vmcpy.m": {2: ("vmand.mm {0}, {1}, {1}",)},
        "vmnot.m": {2: ("vmnand.mm {0}, {1}, {1}",)},
        "vmclr.m": {1: ("vmxor.mm {0}, {0}, {0}",)},
        "vmset.m": {1: ("vmxnor.mm {0}, {0}, {0}",)},
        "vmandnot.mm": {3: ("vmandn.mm {0}, {1}, {2}",)},
        "vmornot.mm": {3: ("vmorn.mm {0}, {1}, {2}",)},
        "vle1.v": {2: ("vlm.v {0}, {1}",)},
        "vse1.v": {2: ("vsm.v {0}, {1}",)},
    }
    for count in (1, 2, 4, 8):
        table[f"vl{count}r.v"] = {2: (f"vl{count}re8.v {{0}}, {{1}}",)}
    for name, (count, line) in _MASKED.items():
        table[name] = {count: (line,), count + 1: (f"{line}, {{{count}}}",)}
    for sign in ("", "u"):
        table[f"vmsge{sign}.vx"] = {
            3: (f"vmslt{sign}.vx {{0}}, {{1}}, {{2}}", "vmnand.mm {0}, {0}, {0}"),
            4: (f"vmslt{sign}.vx {{0}}, {{1}}, {{2}}, {{3}}", "vmxor.mm {0}, {0}, v0"),
        }
    return table


TABLE: Table = _BASE | _CONTROL | _float() | _vector()
EMPTY_RANGES = {"vmsltu.vi": "vmsne.vv", "vmsgeu.vi": "vmseq.vv"}
"""Comparisons with 0 that are never or always true: as the comparison of the operand with itself."""
SHORTER = {"zext.w": "add.uw {0}, {1}, zero"}
"""One instruction, where an extension has it."""
IMMEDIATE_FORMS = {
    **{name: f"{name}i" for name in (
        "add", "and", "or", "xor", "slt", "sll", "srl", "sra", "ror", "bclr", "bext", "binv", "bset", "csrrw", "csrrs",
        "csrrc")},
    **{f"{name}w": f"{name}iw" for name in ("add", "sll", "srl", "sra", "ror")},
    "sltu": "sltiu", "csrw": "csrwi", "csrs": "csrsi", "csrc": "csrci",
}  # fmt: skip
"""Instructions that may be written with an immediate, and which they then are."""
