"""What an instruction set is, as data: the classes that isa/*.yaml is loaded into."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from archsim.common.yamlfile import YamlMap
from archsim.isa.template import parse_template


@dataclass(frozen=True)
class Part:
    """Bits of an operand's value, and the words that assembly writes them with (None: there is none)."""

    low: int
    width: int
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Variable:
    """An operand field of an encoding.

    Attributes:
        name: as it stands in `assembly` and `operation` (xd, xs1, imm, ...).
        bits: instruction bit of each field bit, most significant first.
        register: the register file it selects from ("X", "t", ...), or None for an immediate.
        signed: whether an immediate is two's complement.
        left_shift: zero bits below the field (branch offsets: 1).
        forbidden: values the field may not hold.
        letters: one letter per bit, most significant first, with which assembly writes the field (fence: iorw).
        add: what the value is greater by than the field (registers of compressed instructions: 8).
        hexadecimal: whether disassembly writes an immediate in base 16.
        written_bits: where assembly writes a signed immediate as an unsigned number of so many bits (c.lui: 20).
        values: words that assembly writes the values 0, 1, ... with; None where there is no word.
        default: the value that assembly may leave out.
        suffix: whether the word is a suffix of the mnemonic (amoadd.w.aq).
        parts: pieces of the value that assembly writes as words of their own (vsetvli: e32, m4, ta, ma).
        eew: of a vector operand: bits of its elements as an expression over SEW; "": SEW; 1: a mask.
        group: of a vector operand: registers it spans where vtype does not say, "": as many as EEW and LMUL make.
        fields: groups that follow each other (segments).
    """

    name: str
    bits: tuple[int, ...]
    register: str | None = None
    signed: bool = False
    left_shift: int = 0
    forbidden: frozenset[int] = frozenset()
    letters: str = ""
    add: int = 0
    hexadecimal: bool = False
    written_bits: int = 0
    values: tuple[str | None, ...] = ()
    default: int | None = None
    suffix: bool = False
    parts: tuple[Part, ...] = ()
    eew: str = ""
    group: str = ""
    fields: int = 1

    @property
    def width(self) -> int:
        return len(self.bits)


@dataclass(frozen=True)
class Parameter:
    """A number that a design may set within bounds (TM, TN, ...), or one that follows from others.

    Attributes:
        value: what it follows from, as an expression; None for one that a design may set.
    """

    name: str
    default: int
    minimum: int
    maximum: int
    power_of_two: bool
    description: str
    value: Text | None = None


@dataclass(frozen=True)
class State:
    """A piece of architectural state.

    Attributes:
        kind: "register_file", "csr", "view" (another element type on a register file's bytes) or "scratch" (room that
            an instruction works in, undefined at its start).
        type: element type (see element_types).
        count: registers in a file.
        shape: elements of one register, parameters already bound; () for a scalar.
        names: assembly names, one per register.
        of: the register file a view shows, or the CSR that a CSR is a window on.
        address: of a CSR.
        maximum: largest value a CSR takes (writes are clamped to it: WARL).
        fields: of a CSR: name -> (least significant bit, width, enumerated names).
        reset: value of a CSR after reset.
        vector: whether a register file is that of vectors: elements as wide as the instruction says.
        window: (least significant bit, width) of the bits of `of` that a CSR shows.
        mask: bits of a CSR that can be written; the others keep their reset value.
        legal: field -> values it takes; a write of another leaves it as it is.
        float_flags: whether the low five bits gather floating-point exceptions.
        shows: what the machine makes a CSR show: cycles, time, instructions, hart, extensions, status, inhibit, or "".
        xlen: the only XLEN that has this CSR; 0 for both.
        select: "CSR.field" that says which of `types` the elements of a view have; "" for `type`.
        types: by value of that field; None: there is none.
        value: what reading an element gives: "int", "f32" or "f64".
    """

    name: str
    kind: str
    type: str = "int64"
    count: int = 1
    shape: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    of: str | None = None
    address: int = 0
    maximum: int = 2**63 - 1
    writable: bool = True
    fields: dict[str, tuple[int, int, tuple[str, ...]]] = field(default_factory=dict)
    reset: int = 0
    description: str = ""
    vector: bool = False
    window: tuple[int, int] | None = None
    mask: int = 2**64 - 1
    legal: dict[str, tuple[int, ...]] = field(default_factory=dict)
    float_flags: bool = False
    shows: str = ""
    xlen: int = 0
    select: str = ""
    types: tuple[str | None, ...] = ()
    value: str = "int"


@dataclass(frozen=True)
class Text:
    """Source text out of a YAML file with its place, for errors."""

    source: str
    file: Path
    line: int


@dataclass(frozen=True)
class VectorFacts:
    """How a vector instruction runs over elements.

    Attributes:
        loop: whether the operation is that of one active element.
        widths: SEW for which it is there; () if it does not depend on vtype.
        disjoint: source operands that the target may not overlap.
        restarts: whether vstart may be other than 0.
        count: elements that it runs over as an expression, "": vl.
        kind: what it does with elements, for its time (KINDS of vector_facts); "": load, store or alu, as it accesses
            memory or not.
        access: how elements lie in memory (ACCESSES).
    """

    loop: bool
    widths: tuple[int, ...]
    disjoint: tuple[str, ...]
    restarts: bool
    count: str = ""
    kind: str = ""
    access: str = "unit"


@dataclass(frozen=True)
class Expansion:
    """The instruction that a short one stands for.

    Attributes:
        mnemonic: of it.
        operands: every variable of it -> a value, or the name of the short instruction's own variable.
    """

    mnemonic: str
    operands: dict[str, int | str]


@dataclass(frozen=True)
class Instruction:
    """One instruction as its YAML says.

    Attributes:
        match: 32 (or 16) characters of 0, 1 and -, most significant bit first.
        assembly: operand template, such as "xd, imm(xs1)".
        operation: its meaning, in the operation language; None where it has an expansion, or an encoding only.
        unit: class of execution unit (alu, mul, div, branch, load, store, csr, system, tile_lsu, matrix, vector, dma).
        work: what it asks of the unit: name -> expression or word (macs, elements, bits, format, class, ...).
        memory: bulk accesses: a list of {access, address, rows, row_bytes, stride} of expressions.
        expansion: the instruction that it stands for, if it has no operation of its own.
        examples: what `archsim isa test` executes, as YAML has them (keys: table "example" of archsim.isa.schema).
        within: instructions whose encodings contain its own: it is a case of them with a name and meaning of its own.
    """

    name: str
    long_name: str
    extension: str
    match: str
    variables: tuple[Variable, ...]
    assembly: str
    unit: str
    operation: Text | None
    work: dict[str, Any]
    memory: tuple[dict[str, Any], ...]
    file: Path
    line: int
    description: str = ""
    vector: VectorFacts | None = None
    expansion: Expansion | None = None
    within: tuple[str, ...] = ()
    examples: tuple[YamlMap, ...] = ()

    @cached_property
    def width(self) -> int:
        """Bits of the encoding: 32 or 16."""
        return len(self.match)

    @cached_property
    def mask(self) -> int:
        return int("".join("0" if c == "-" else "1" for c in self.match), 2)

    @cached_property
    def value(self) -> int:
        return int(self.match.replace("-", "0"), 2)

    @cached_property
    def written(self) -> tuple[str, ...]:
        """Names of the variables in the order that assembly has them, suffixes of the mnemonic first."""
        names = {variable.name for variable in self.variables}
        suffixes = tuple(variable.name for variable in self.variables if variable.suffix)
        operands = parse_template(self.assembly)
        return suffixes + tuple(name for operand in operands for name in operand.variables if name in names)

    @property
    def is_encoding_only(self) -> bool:
        """Whether nothing is known of its meaning: it traps when executed."""
        return self.operation is None and self.expansion is None

    def variable(self, name: str) -> Variable:
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)


@dataclass(frozen=True)
class Extension:
    """One YAML file: an extension with its state and instructions."""

    name: str
    long_name: str
    version: str
    requires: tuple[str, ...]
    source: str
    file: Path
    parameters: dict[str, Parameter]
    state: dict[str, State]
    instructions: dict[str, Instruction]
    conflicts: tuple[str, ...] = ()
    encodings_only: bool = False


@dataclass(frozen=True)
class Isa:
    """A base and extensions, loaded together and checked against each other.

    Attributes:
        name: the names it was loaded by, joined with "+".
        parameters: every parameter's bound value.
        state: every register file, CSR and view by name ("X" is the integer registers).
        instructions: by mnemonic.
    """

    name: str
    extensions: dict[str, Extension]
    parameters: dict[str, int]
    state: dict[str, State]
    instructions: dict[str, Instruction]
    xlen: int = 64

    @cached_property
    def decode_tables(self) -> dict[int, list[tuple[int, dict[int, Instruction]]]]:
        """Width in bits -> per mask, those of most bits first, fixed bits -> instruction."""
        tables: dict[int, dict[int, dict[int, Instruction]]] = {16: {}, 32: {}}
        for instruction in self.instructions.values():
            tables[instruction.width].setdefault(instruction.mask, {})[instruction.value] = instruction
        return {
            width: sorted(by_mask.items(), key=lambda entry: -entry[0].bit_count()) for width, by_mask in tables.items()
        }

    @cached_property
    def mnemonics(self) -> dict[str, tuple[Instruction, dict[str, int]]]:
        """What may be written -> instruction, and the operands that its suffix gives (amoadd.w.aq: ordering 2)."""
        result: dict[str, tuple[Instruction, dict[str, int]]] = {}
        for name, instruction in self.instructions.items():
            result[name] = instruction, {}
            for variable in instruction.variables:
                if variable.suffix:
                    for value, word in enumerate(variable.values):
                        if word is not None:
                            result[name + word] = instruction, {variable.name: value}
        return result

    @cached_property
    def _state_by_extension(self) -> dict[str, dict[str, State]]:
        result: dict[str, dict[str, State]] = {}
        for name in self.extensions:
            needed = [name]
            # what is appended is visited, too
            for other in needed:
                needed += [more for more in self.extensions[other].requires if more not in needed]
            known = {own for other in needed for own in self.extensions[other].state}
            result[name] = {own: state for own, state in self.state.items() if own in known}
        return result

    def state_of(self, instruction: Instruction) -> dict[str, State]:
        """The state an operation may name: that of its extension and of those that it requires."""
        return self._state_by_extension[instruction.extension]

    def parameters_of(self, instruction: Instruction) -> dict[str, int]:
        """What an operation may name: the parameters, and for vector instructions the widest SEW that they have."""
        if instruction.vector is None:
            return self.parameters
        return {**self.parameters, "SEW": max(instruction.vector.widths, default=8)}

    @cached_property
    def register_numbers(self) -> dict[str, dict[str, int]]:
        """Register file -> assembly name -> number (X also by x0 to x31 and fp, F by f0 to f31)."""
        result = {}
        for name, state in self.state.items():
            if state.kind == "register_file":
                result[name] = {register: index for index, register in enumerate(state.names)}
        if "X" in result:
            result["X"] |= {f"x{index}": index for index in range(32)} | {"fp": 8}
        if "F" in result:
            result["F"] |= {f"f{index}": index for index in range(32)}
        return result

    @cached_property
    def csr_names(self) -> dict[int, str]:
        """CSR address -> name."""
        return {state.address: name for name, state in self.state.items() if state.kind == "csr"}

    def assemble(self, source: str, file: str = "<string>") -> Any:
        """Assemble source text into a Program (see archsim.isa.assemble)."""
        from archsim.isa.assemble import assemble

        return assemble(self, source, file)

    def disassemble(self, word: int, address: int | None = None) -> str:
        """One instruction word as assembly text (see archsim.isa.disassemble)."""
        from archsim.isa.disassemble import disassemble

        return disassemble(self, word, address)
