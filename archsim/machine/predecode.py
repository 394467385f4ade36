"""A program's instructions as flat arrays that the dispatch loop reads.

Slot i stands for the address ``text + 2 * i``. ``code[i]`` is (word, immediate): the word holds the instruction's
number in bits 0-15, operand slot s in bits 16+8s, and its sign says that it is two bytes long. ``sched[i]`` is what
the scoreboard needs: target, sources, latency, unit, and what a late ALU can wait for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.lower import SINK, SLOTS, operand_slots
from archsim.isa.program import Program, Segment
from archsim.isa.spec import Instruction, Variable
from archsim.machine.coded import SCALAR_FILES, Coded
from archsim.machine.layout import UNIT_ID

TEXT_LIMIT = 64 << 20
"""Largest span of executable bytes."""
SHORT = -1 << 63
"""Bit of a code word that says: two bytes long."""


@dataclass
class Predecoded:
    """Arrays of a program.

    Attributes:
        code: int64 [slots + 2, 2], see the module.
        sched: int64 [slots + 2].
        text: address of slot 0.
        slots: how many.
        used: mnemonics that occur.
        words: uint32 [slots / 2], the instruction words.
        latency: what they were decoded with.
    """

    code: np.ndarray
    sched: np.ndarray
    text: int
    slots: int
    used: list[str]
    words: np.ndarray
    latency: dict[str, int]

    def decode_again(self, coded: Coded, image: bytes) -> None:
        """Take over instructions that a program has changed (FENCE.I).

        Args:
            image: the bytes that now stand where the words stood.
        """
        words = np.frombuffer(image, "<u4")
        if np.array_equal(words, self.words):
            return
        new = decode_words(coded, words, self.text, self.latency)
        # compiled code holds the addresses of these arrays
        self.code[:], self.sched[:], self.words = new.code, new.sched, words


def predecode(coded: Coded, program: Program, latency: dict[str, int]) -> Predecoded:
    """Decode all executable segments; of a program for the bare machine all segments: nothing there forbids to
    execute data.

    Args:
        latency: cycles from issue to result by unit, for the scoreboard.
    """
    segments = _code_segments(program)
    first = text_of(program)
    image = np.zeros((_span(segments) + 3 + 3) // 4 * 4, np.uint8)
    for segment in segments:
        image[segment.address - first : segment.address - first + len(segment.data)] = np.frombuffer(
            segment.data, np.uint8
        )
    return decode_words(coded, image.view("<u4"), first, latency)


def text_of(program: Program) -> int:
    """The address of slot 0 of a program's code."""
    return min(segment.address for segment in _code_segments(program)) & ~3


def _code_segments(program: Program) -> list[Segment]:
    segments = [segment for segment in program.segments if segment.executable and segment.data]
    whole = [segment for segment in program.segments if segment.data]
    if "tohost" in program.symbols and _span(whole) <= TEXT_LIMIT:
        segments = whole
    if not segments:
        raise InputError(f"{program.name} has no executable part", remedy="give a program with instructions")
    if _span(segments) > TEXT_LIMIT:
        raise InputError(f"{program.name} spreads code over {_span(segments)} bytes", remedy="link it closer together")
    return segments


def _span(segments: list[Segment]) -> int:
    """Bytes from the first to the last."""
    first = min((segment.address for segment in segments), default=0)
    return max((segment.address + len(segment.data) for segment in segments), default=0) - first


def decode_words(coded: Coded, words: np.ndarray, text: int, latency: dict[str, int]) -> Predecoded:
    """Decode uint32 words [n] that stand at `text`: an instruction may start at each halfword."""
    halves = np.ascontiguousarray(words, "<u4").view("<u2").astype(np.uint32)
    slots = len(halves)
    long = (halves & 3) == 3
    keys = np.where(long, halves | np.append(halves[1:], 0).astype(np.uint32) << 16, halves)
    step = coded.alignment // 2
    unique, inverse = np.unique(keys[::step], return_inverse=True)
    code = np.zeros((len(unique), 2), np.int64)
    code[:, 0] = coded.illegal
    sched = np.full(len(unique), SINK, np.int64) | (np.int64(UNIT_ID["system"]) << 40)
    used: set[str] = set()
    groups = _groups(unique)
    for instruction in coded.isa.instructions.values():
        candidates = groups.get(_group(instruction), np.zeros(0, np.int64))
        found = candidates[(unique[candidates] & np.uint32(instruction.mask)) == np.uint32(instruction.value)]
        for variable in instruction.variables:
            if variable.forbidden and len(found):
                fields = field_values(unique[found], variable)
                found = found[~np.isin(fields, list(variable.forbidden))]
        if not len(found):
            continue
        if instruction.is_encoding_only:
            code[found] = (coded.illegal, 0)
            continue
        target, values = _executed(coded, instruction, unique[found])
        used.add(target.name)
        code[found] = _operands(coded, target, values, len(found))
        if instruction.width == 16:
            code[found, 0] |= SHORT
        sched[found] = _schedule(coded, target, values, len(found), latency)
    # two more illegal slots, so that running off the end traps
    all_code = np.zeros((slots + 2, 2), np.int64)
    all_code[:, 0] = coded.illegal
    all_sched = np.full(slots + 2, SINK, np.int64)
    all_code[0:slots:step] = code[inverse]
    all_sched[0:slots:step] = sched[inverse]
    return Predecoded(all_code, all_sched, text, slots, sorted(used), words, latency)


def _group(instruction: Instruction) -> int:
    """A coarse key of an encoding: the length and, of 32-bit instructions, the major opcode."""
    return instruction.value & (3 if instruction.width == 16 else 127)


def _groups(unique: np.ndarray) -> dict[int, np.ndarray]:
    """Indices of words by the key of _group()."""
    keys = np.where((unique & 3) == 3, unique & 127, unique & 3).astype(np.int64)
    order = np.argsort(keys, kind="stable")
    values, starts = np.unique(keys[order], return_index=True)
    return dict(zip((int(v) for v in values), np.split(order, starts[1:]), strict=True))


def _executed(coded: Coded, instruction: Instruction, words: np.ndarray) -> tuple[Instruction, dict[str, np.ndarray]]:
    """The instruction that words of one execute as (that of the expansion of a 16-bit one), and its operands."""
    own = {variable.name: field_values(words, variable) for variable in instruction.variables}
    if instruction.expansion is None:
        return instruction, own
    operands = {
        name: own[source] if isinstance(source, str) else np.full(len(words), source, np.int64)
        for name, source in instruction.expansion.operands.items()
    }
    return coded.isa.instructions[instruction.expansion.mnemonic], operands


def field_values(words: np.ndarray, variable: Variable) -> np.ndarray:
    """A variable's value in each of uint32 words [n], as int64 [n]."""
    value = np.zeros(len(words), np.int64)
    wide = words.astype(np.int64)
    for bit in variable.bits:
        value = (value << 1) | ((wide >> bit) & 1)
    if variable.signed:
        value = np.where(value >> (variable.width - 1), value - (1 << variable.width), value)
    return (value << variable.left_shift) + variable.add


def _operands(coded: Coded, instruction: Instruction, values: dict[str, np.ndarray], count: int) -> np.ndarray:
    """Word and immediate of instructions with these operands: int64 [count, 2]."""
    slots = operand_slots(instruction)
    if len(slots.slot) > SLOTS:
        raise InputError(
            f"{instruction.name} has more than {SLOTS} operands besides its immediate",
            file=instruction.file,
            line=instruction.line,
            remedy="merge some",
        )
    written = {access.variable for access in coded.operation(instruction.name).writes if access.register_file == "X"}
    result = np.zeros((count, 2), np.int64)
    result[:, 0] = coded.number[instruction.name]
    for name, slot in slots.slot.items():
        value = values[name]
        if name in written:
            value = np.where(value == 0, SINK, value)
        result[:, 0] |= (value & 255) << (16 + 8 * slot)
    if slots.immediate:
        result[:, 1] = values[slots.immediate]
    return result


def _schedule(
    coded: Coded, instruction: Instruction, values: dict[str, np.ndarray], count: int, latency: dict[str, int]
) -> np.ndarray:
    """Scoreboard word of instructions with these operands: int64 [count]."""
    operation = coded.operation(instruction.name)
    writes = [a for a in operation.writes if a.register_file in SCALAR_FILES]
    reads = {(a.variable, a.register_file) for a in operation.reads if a.register_file in SCALAR_FILES}
    for access in instruction.memory:
        reads |= {(v.name, "X") for v in instruction.variables if v.register == "X" and f"X[{v.name}]" in str(access)}
    result = np.full(count, 0, np.int64)
    if writes:
        target = values[writes[0].variable] + coded.scoreboard[writes[0].register_file]
        result |= np.where(target == 0, SINK, target)
    else:
        # an environment call answers in a0
        result |= 10 if "ecall" in operation.calls else SINK
    for (name, owner), shift in zip(sorted(reads), (8, 16, 48), strict=False):
        result |= (values[name] + coded.scoreboard[owner]) << shift
    cycles = int(str(instruction.work.get("latency", 0))) if str(instruction.work.get("latency", "")).isdigit() else 0
    result |= np.int64(cycles or latency.get(instruction.unit, 1)) << 24
    result |= np.int64(UNIT_ID[instruction.unit]) << 40
    result |= np.int64(_late(instruction, [name for name, _ in sorted(reads)])) << 56
    return result


def _late(instruction: Instruction, sources: list[str]) -> int:
    """Bits 0 and 1: whether late ALUs can wait for that source; bit 2: whether the result then comes late, too."""
    if instruction.unit in ("alu", "branch"):
        return 7
    if instruction.unit != "store":
        return 0
    # xs1 is the base address of every store
    return sum(1 << bit for bit, name in enumerate(sources[:2]) if name != "xs1")
