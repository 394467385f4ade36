"""Random programs: registers from data, a body of random instructions, all registers and a buffer written out."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from archsim.isa.encoding import encode, operand_range
from archsim.isa.spec import Instruction, Isa, Variable
from tests.fuzz.operands import VectorType, float_register, integer, vector_bytes, vector_registers

TEXT, DATA = 0x1_0000, 0x20_0000
BUFFER = 1 << 17
"""Bytes around which loads and stores happen; x30 points to its middle."""
SPARE, MIDDLE, POINTER = 29, 30, 31
"""Registers that the generator itself writes in the body; x31 is random there and points to data around it."""
_LMUL = {-3: 5, -2: 6, -1: 7, 0: 0, 1: 1, 2: 2, 3: 3}
_SKIPPED = frozenset(
    {"ecall", "ebreak", "fence.i", "mret", "wfi", "wrs.nto", "wrs.sto", "cbo.zero", "cbo.clean", "cbo.flush",
     "cbo.inval", "c.ebreak", "ctzw", "sc.w", "sc.d", "vsetvl", "jalr", "c.jr", "c.jalr", "c.jal", "c.j"}
)  # fmt: skip
"""Calls of the environment, jumps to addresses, stores that may fail, and ctzw: qemu 7.2 counts beyond bit 31 of a word
without set bits, where it has to give 32 (Unprivileged ISA, chapter "B", ctzw)."""


@dataclass(frozen=True)
class Fuzzed:
    """A program: its ELF file, how many random instructions it has, and its body as text for reports."""

    elf: bytes
    count: int
    listing: list[str]


class Writer:
    """Puts a program together, word by word."""

    def __init__(self, isa: Isa, rng: random.Random) -> None:
        self.isa, self.rng = isa, rng
        self.code = b""
        self.floats, self.vectors = "F" in isa.extensions, "V" in isa.extensions
        self.vlenb = isa.parameters.get("VLEN", 0) // 8
        self.bytes = isa.xlen // 8
        self.listing: list[str] = []
        self.vtype: VectorType | None = None

    def emit(self, name: str, **operands: int) -> None:
        instruction = self.isa.instructions[name]
        for variable in instruction.variables:
            if variable.name not in operands and variable.default is not None:
                operands[variable.name] = variable.default
        word = encode(instruction, operands)
        self.code += word.to_bytes(instruction.width // 8, "little")

    def address(self, register: int, value: int) -> None:
        """li of a 32-bit address."""
        low = (value + 2048) % 4096 - 2048
        self.emit("lui", xd=register, imm=(value - low) >> 12 & 0xFFFFF)
        self.emit("addi", xd=register, xs1=register, imm=low)

    def load(self, register: int, base: int, offset: int) -> None:
        self.emit("ld" if self.bytes == 8 else "lw", xd=register, xs1=base, imm=offset)

    def store(self, register: int, base: int, offset: int) -> None:
        self.emit("sd" if self.bytes == 8 else "sw", xs2=register, xs1=base, imm=offset)

    # -- parts of a program

    def prologue(self) -> bytes:
        """Load every register; returns the data that they are loaded from."""
        rng = self.rng
        data = b"".join((integer(rng) & (2 ** (8 * self.bytes) - 1)).to_bytes(self.bytes, "little") for _ in range(32))
        self.address(POINTER, DATA)
        if self.floats:
            width = 8 if "D" in self.isa.extensions else 4
            for register in range(32):
                data += (float_register(rng) & (2 ** (8 * width) - 1)).to_bytes(width, "little")
                offset = 32 * self.bytes + register * width
                self.emit("fld" if width == 8 else "flw", fd=register, xs1=POINTER, imm=offset)
            self.emit("addi", xd=SPARE, xs1=0, imm=rng.choice((0, 0, 1, 2, 3, 4)) << 5)
            self.emit("csrrw", xd=0, csr=3, xs1=SPARE)
        data = data.ljust(1024, b"\0")
        if self.vectors:
            self.emit("csrrwi", xd=0, csr=0x00F, uimm=rng.randrange(8) & 6)
            for first in range(0, 32, 8):
                self.address(SPARE, DATA + len(data))
                self.emit("vl8re8.v", vd=first, xs1=SPARE)
                data += b"".join(vector_bytes(rng, self.vlenb) for _ in range(8))
        for register in range(1, SPARE + 1):
            self.load(register, POINTER, self.bytes * register)
        self.address(MIDDLE, self.buffer(len(data)) + BUFFER // 2)
        return data

    def buffer(self, before: int) -> int:
        return DATA + (before + 4095 & ~4095)

    def epilogue(self, data: bytes) -> bytes:
        """Store every register behind the data and write it all out."""
        start = self.buffer(len(data)) + BUFFER
        self.address(POINTER, start)
        for register in range(1, POINTER):
            self.store(register, POINTER, self.bytes * register)
        offset = 32 * self.bytes
        for csr in ([3] if self.floats else []) + ([0x008, 0x00F, 0xC20, 0xC21] if self.vectors else []):
            self.emit("csrrs", xd=SPARE, csr=csr, xs1=0)
            self.store(SPARE, POINTER, offset)
            offset += self.bytes
        if self.floats:
            for register in range(32):
                double = "D" in self.isa.extensions
                self.emit("fsd" if double else "fsw", fs2=register, xs1=POINTER, imm=512 + register * 8)
        size = 1024
        if self.vectors:
            self.emit("csrrwi", xd=0, csr=0x008, uimm=0)
            for first in range(0, 32, 8):
                self.address(SPARE, start + size)
                self.emit("vs8r.v", vs3=first, xs1=SPARE)
                size += 8 * self.vlenb
        self.emit("addi", xd=10, xs1=0, imm=1)
        self.address(11, start - BUFFER)
        self.address(12, BUFFER + size)
        self.emit("addi", xd=17, xs1=0, imm=64)
        self.emit("ecall")
        self.emit("addi", xd=10, xs1=0, imm=0)
        self.emit("addi", xd=17, xs1=0, imm=93)
        self.emit("ecall")
        filling = self.rng.randbytes(BUFFER)
        return data.ljust(self.buffer(len(data)) - DATA, b"\0") + filling + bytes(size)

    # -- the body

    def body(self, names: list[str], count: int) -> int:
        """`count` random instructions of those named; returns how many were made."""
        made = 0
        while made < count:
            name = self.rng.choice(names)
            start = len(self.code)
            if self.random(self.isa.instructions[name]):
                made += 1
                self.listing.append(f"{TEXT + start:#x}: {self.code[start:].hex(' ', 4)}  {name}")
        return made

    def random(self, instruction: Instruction) -> bool:
        """One random instruction with what it needs before it; False where it is not made here."""
        if instruction.name in _SKIPPED:
            return False
        if instruction.vector is not None:
            return self.vector(instruction)
        if instruction.unit == "csr":
            return self.csr(instruction)
        target = instruction.expansion.mnemonic if instruction.expansion else instruction.name
        unit = self.isa.instructions[target].unit
        operands = {variable.name: self.operand(variable) for variable in instruction.variables}
        if operands.get("xd") in (MIDDLE, POINTER):
            operands["xd"] = 5
        if unit == "branch":
            # over the next instruction
            operands["imm"] = 4 + instruction.width // 8
            self.emit(instruction.name, **operands)
            self.emit("addi", xd=SPARE, xs1=SPARE, imm=1)
            return True
        atomic = instruction.extension.startswith("Za") or instruction.extension == "A"
        if unit in ("load", "store") or atomic:
            if atomic:
                self.emit("addi", xd=SPARE, xs1=MIDDLE, imm=self.rng.randrange(-64, 64) * 16)
                operands["xs1"] = SPARE
            elif instruction.expansion is not None:
                return self.compressed_memory(instruction, operands)
            else:
                operands["xs1"] = MIDDLE
        for name in ("xd", "xs2"):
            variable = next((v for v in instruction.variables if v.name == name), None)
            if variable and atomic and "amocas" in instruction.name:
                operands[name] &= ~1
        if any(value in variable.forbidden for variable, value in self.pairs(instruction, operands)):
            return False
        self.emit(instruction.name, **operands)
        return True

    def pairs(self, instruction: Instruction, operands: dict[str, int]) -> list[tuple[Variable, int]]:
        return [(variable, operands[variable.name]) for variable in instruction.variables]

    def operand(self, variable: Variable) -> int:
        low, high, step = operand_range(variable)
        if variable.register is None and self.rng.random() < 0.3:
            value = self.rng.choice((low, high, 0, step, -step))
            value = min(max(value, low), high)
        else:
            value = self.rng.randrange(low, high + 1, step)
        return value if value not in variable.forbidden else self.operand(variable)

    def compressed_memory(self, instruction: Instruction, operands: dict[str, int]) -> bool:
        """Compressed loads and stores reach x8 to x15, or the stack pointer: point those to the buffer."""
        base = operands.get("xs1", 2)
        self.emit("addi", xd=base, xs1=MIDDLE, imm=self.rng.randrange(-64, 64) * 8)
        operands["xs1"] = base
        self.emit(instruction.name, **{v.name: operands[v.name] for v in instruction.variables})
        return True

    def csr(self, instruction: Instruction) -> bool:
        if instruction.name.startswith("vset"):
            return self.set_vtype()
        numbers = ([1, 3] if self.floats else []) + ([0x009, 0x00A, 0x00F] if self.vectors else [])
        if not numbers:
            return False
        number = self.rng.choice(numbers)
        operands = {"csr": number, "xd": self.rng.randrange(MIDDLE)}
        if number != 1:
            # frm stays one of five; qemu 7.2 keeps bits of vxrm and vxsat that these do not have (V 1.0, section 3.8)
            if "uimm" not in {v.name for v in instruction.variables}:
                return False
            operands["uimm"] = self.rng.randrange({3: 32, 0x009: 2, 0x00A: 4, 0x00F: 8}[number])
        for variable in instruction.variables:
            operands.setdefault(variable.name, self.operand(variable))
        self.emit(instruction.name, **operands)
        return True

    # -- vectors

    def set_vtype(self) -> bool:
        rng = self.rng
        sew = rng.choice((8, 16, 32, 64))
        lmul = rng.randint(-3, 3)
        vlmax = self.vlenb * 8 // sew << lmul if lmul >= 0 else self.vlenb * 8 // sew >> -lmul
        if lmul < sew.bit_length() - 7 or vlmax == 0:
            return False
        length = rng.choice((vlmax, vlmax, rng.randint(0, vlmax), rng.randint(0, vlmax), 1))
        vtypei = rng.randrange(4) << 6 | (sew.bit_length() - 4) << 3 | _LMUL[lmul]
        if length < 32 and rng.random() < 0.3:
            self.emit("vsetivli", xd=rng.randrange(SPARE), uimm=length, vtypei=vtypei)
        else:
            self.address(SPARE, length)
            self.emit("vsetvli", xd=rng.randrange(1, SPARE), xs1=SPARE, vtypei=vtypei)
        self.vtype = VectorType(sew, lmul, min(length, vlmax))
        return True

    def vector(self, instruction: Instruction) -> bool:
        facts = instruction.vector
        assert facts is not None
        if self.vtype is None or self.rng.random() < 0.2:
            self.set_vtype()
        if self.vtype is None or (facts.widths and self.vtype.sew not in facts.widths):
            return False
        registers = vector_registers(self.rng, instruction, self.vtype)
        if registers is None:
            return False
        operands = {variable.name: self.operand(variable) for variable in instruction.variables}
        for variable in instruction.variables:
            if variable.name in registers:
                operands[variable.name] = registers[variable.name]
        if "xd" in operands and operands["xd"] in (MIDDLE, POINTER):
            operands["xd"] = 5
        calls = str(instruction.operation.source if instruction.operation else "")
        if "load" in calls or "store" in calls:
            operands["xs1"] = MIDDLE
            self.memory(instruction, operands)
        if "rtz" in instruction.name or "rod" in instruction.name:
            # qemu 7.2 falls over (translate.c, decode_save_opc) where it does not know yet that frm is in force
            self.emit("fcvt.w.d", xd=0, fs1=1, rm=7)
        restart = facts.restarts and facts.loop and self.vtype.vl > 1 and self.rng.random() < 0.1
        if restart and ("load" in calls or "store" in calls) and facts.widths:
            self.emit("csrrwi", xd=0, csr=0x008, uimm=self.rng.randrange(min(self.vtype.vl, 32)))
        self.emit(instruction.name, **operands)
        if restart:
            # qemu 7.2 takes vstart for what it was at the start of a translated block: end the block
            self.emit("jal", xd=0, imm=4)
        return True

    def memory(self, instruction: Instruction, operands: dict[str, int]) -> None:
        """Keep strides and indices within the buffer."""
        assert self.vtype is not None
        if "xs2" in operands:
            self.emit("addi", xd=SPARE, xs1=0, imm=self.rng.randrange(-24, 25))
            operands["xs2"] = SPARE
        index = next((v for v in instruction.variables if v.name == "vs2"), None)
        if index is None:
            return
        eew = int(index.eew)
        emul = self.vtype.lmul + eew.bit_length() - self.vtype.sew.bit_length()
        vtypei = lambda bits, lmul: (bits.bit_length() - 4) << 3 | _LMUL[lmul]  # noqa: E731
        # the same vl: the ratio of width and group size stays
        self.emit("vsetvli", xd=0, xs1=0, vtypei=vtypei(eew, emul))
        self.address(SPARE, 0x7F if eew == 8 else 0x3FFF)
        self.emit("vand.vx", vd=operands["vs2"], vs2=operands["vs2"], xs1=SPARE)
        self.emit("vsetvli", xd=0, xs1=0, vtypei=vtypei(self.vtype.sew, self.vtype.lmul))


def make_program(isa: Isa, names: list[str], seed: int, count: int) -> Fuzzed:
    """A random program.

    Args:
        isa: what it is made of.
        names: mnemonics that its body may have.
        seed: of everything random in it.
        count: instructions of the body.
    """
    writer = Writer(isa, random.Random(seed))
    data = writer.prologue()
    made = writer.body(names, count)
    data = writer.epilogue(data)
    return Fuzzed(_elf(writer.code, data, isa.xlen), made, writer.listing)


def _elf(code: bytes, data: bytes, xlen: int) -> bytes:
    """An executable with one segment for code and one for data."""
    sixty_four = xlen == 64
    ident = b"\x7fELF" + bytes([2 if sixty_four else 1, 1, 1, 0]) + bytes(8)
    header, entry = (64, 56) if sixty_four else (52, 32)
    code_at = 4096
    data_at = code_at + (len(code) + 4095 & ~4095)
    form = "<HHIQQQIHHHHHH" if sixty_four else "<HHIIIIIHHHHHH"
    result = ident + struct.pack(form, 2, 243, 1, TEXT, header, 0, 5 if sixty_four else 1, header, entry, 2, 0, 0, 0)
    for flags, offset, address, size in ((5, code_at, TEXT, len(code)), (6, data_at, DATA, len(data))):
        if sixty_four:
            result += struct.pack("<IIQQQQQQ", 1, flags, offset, address, address, size, size, 4096)
        else:
            result += struct.pack("<IIIIIIII", 1, offset, address, address, size, size, flags, 4096)
    return result.ljust(code_at, b"\0") + code.ljust(data_at - code_at, b"\0") + data
