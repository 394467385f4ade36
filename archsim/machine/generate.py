"""Source of what is compiled per instruction set: the dispatch loop and one function per other instruction.

The loop holds the hot scalar core (I and M) inline; every other instruction is a function of its own, compiled when a
program first contains it and called by address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from archsim.common.errors import InputError
from archsim.isa.lower import Lowering, operand_slots, state_layout
from archsim.isa.operation import Access, Operation, check_expression, check_operation
from archsim.isa.spec import Instruction, Isa
from archsim.machine.layout import CLASS_ID, FIRST_DECOUPLED, FORMAT_ID, FORMATS, MAXIMUM_ACCESSES, UNIT_ID

INLINE_UNITS = ("alu", "mul", "div", "branch", "load", "store")
INLINE_EXTENSIONS = ("I", "M")


@dataclass(frozen=True)
class Variant:
    """A dispatch loop's compile-time switches."""

    timed: bool = False
    record: bool = False
    replay: bool = False

    @property
    def name(self) -> str:
        words = [word for word in ("timed", "record", "replay") if getattr(self, word)]
        return "_".join(words) or "functional"


@dataclass
class Coded:
    """An instruction set with numbers for its instructions and checked operations.

    Attributes:
        isa: the instruction set.
        inline: mnemonics inside the dispatch loop, in the order of their numbers.
        others: all other mnemonics, numbered after them; the last number is the illegal instruction.
        scoreboard: register file -> first entry (X has 33: the last is where writes to x0 go).
    """

    isa: Isa
    inline: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)
    scoreboard: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, instruction in self.isa.instructions.items():
            inline = instruction.extension in INLINE_EXTENSIONS and instruction.unit in INLINE_UNITS
            (self.inline if inline else self.others).append(name)
        position = 33
        for name, state in self.isa.state.items():
            if state.kind == "register_file" and name != "X":
                self.scoreboard[name] = position
                position += state.count
        self.scoreboard_size = position

    def operation(self, name: str) -> Operation:
        """The checked operation of an instruction."""
        if name not in self.operations:
            instruction = self.isa.instructions[name]
            self.operations[name] = check_operation(instruction, self.isa.state, self.isa.parameters)
        return self.operations[name]

    @cached_property
    def number(self) -> dict[str, int]:
        return {name: index for index, name in enumerate([*self.inline, *self.others])}

    @property
    def illegal(self) -> int:
        return len(self.inline) + len(self.others)

    def state_bytes(self) -> int:
        return state_layout(self.isa.state)[1]


def _vocabulary() -> str:
    """Import line for every public name of the vocabulary."""
    from archsim.machine import host

    names = [name for name in vars(host) if not name.startswith("_") and name.islower()]
    return f"import numpy as np\nfrom archsim.machine.host import ({', '.join(sorted(names))})\n"


def instruction_source(coded: Coded, name: str) -> str:
    """Source of the function ``operation(ctx, w, imm)`` of an instruction outside the loop."""
    instruction = coded.isa.instructions[name]
    lowering = Lowering(instruction, coded.operation(name), coded.isa.state, coded.isa.parameters)
    body = lowering.statements()
    offsets, _ = state_layout(coded.isa.state)
    lines = [
        _vocabulary() + "from archsim.machine.layout import NEXT, PC, STATE, X",
        *(f"OFFSET_{owner} = {offsets[owner]}" for owner in sorted({owner for owner, _ in lowering.files})),
        "",
        "",
        "def operation(ctx, w, imm):",
        "    x = pointer_int64(ctx[X])",
        *("    " + line for line in lowering.prologue()),
        *("    " + line for line in body),
        "    return 0",
    ]
    return "\n".join(lines) + "\n"


def pattern_source(coded: Coded, name: str) -> str | None:
    """Source of ``pattern(ctx, w, imm)``: fills WORK with what the instruction asks of its unit; None if nothing."""
    instruction = coded.isa.instructions[name]
    # decoupled units always look at WORK: it must not be another instruction's
    decoupled = UNIT_ID[instruction.unit] >= FIRST_DECOUPLED
    if not instruction.work and not instruction.memory and not decoupled:
        return None
    lines: list[str] = []
    for key in ("macs", "rows", "columns", "depth", "scales", "elements", "bits", "latency"):
        value = instruction.work.get(key, 0)
        lines.append(f"work[WORK_{key.upper()}] = {_expression(coded, instruction, value)}")
    lines.append(f"work[WORK_FORMAT] = {_format(coded, instruction)}")
    lines.append(f"work[WORK_CLASS] = {_word(instruction, 'class', CLASS_ID)}")
    lines.append(f"work[WORK_WEIGHTS] = {_weights(coded, instruction)}")
    lines.append(f"work[WORK_ACCESSES] = {len(instruction.memory)}")
    if len(instruction.memory) > MAXIMUM_ACCESSES:
        raise InputError(
            f"{name} has {len(instruction.memory)} memory accesses",
            file=instruction.file,
            line=instruction.line,
            remedy=f"describe at most {MAXIMUM_ACCESSES}",
        )
    for index, access in enumerate(instruction.memory):
        base = f"WORK_MEMORY + {index} * MEMORY_FIELDS"
        lines.append(f"work[{base} + ACCESS_WRITE] = {int(access['access'] == 'write')}")
        lines.append(f"work[{base} + ACCESS_DRAM] = {int(access.get('space') == 'dram')}")
        for key, slot in (("address", "ADDRESS"), ("rows", "ROWS"), ("row_bytes", "BYTES"), ("stride", "STRIDE")):
            lines.append(f"work[{base} + ACCESS_{slot}] = {_expression(coded, instruction, access[key])}")
    header = [
        _vocabulary() + "from archsim.machine.layout import *",
        "",
        "",
        "def pattern(ctx, w, imm):",
        "    x = pointer_int64(ctx[X])",
        "    work = pointer_int64(ctx[WORK])",
    ]
    return "\n".join([*header, *("    " + line for line in lines), "    return 0"]) + "\n"


def _expression(coded: Coded, instruction: Instruction, value: Any) -> str:
    isa = coded.isa
    operation = check_expression(value, instruction.line, instruction, isa.state, isa.parameters)
    return Lowering(instruction, operation, isa.state, isa.parameters).expression()


def _word(instruction: Instruction, key: str, known: dict[str, int]) -> int:
    value = str(instruction.work.get(key, next(iter(known))))
    if value not in known:
        raise InputError(
            f"{key} {value!r} of {instruction.name} is not known",
            file=instruction.file,
            line=instruction.line,
            remedy=f"use one of {', '.join(known)}",
        )
    return known[value]


def _format(coded: Coded, instruction: Instruction) -> str:
    """A number format by name, or by a CSR field whose values are formats (qfmt.wfmt)."""
    value = str(instruction.work.get("format", "none"))
    if "." not in value:
        return str(_word(instruction, "format", FORMAT_ID))
    csr, _, name = value.partition(".")
    state = coded.isa.state.get(csr)
    if state is None or name not in state.fields or any(v not in FORMATS for v in state.fields[name][2]):
        raise InputError(
            f"format {value!r} of {instruction.name} is no CSR field of formats",
            file=instruction.file,
            line=instruction.line,
            remedy="name a field with values, as in qfmt.wfmt",
        )
    text = "0"
    for index, word in enumerate(state.fields[name][2]):
        text = f"({FORMAT_ID[word]} if v == {index} else {text})"
    expression = _expression(coded, instruction, f"{csr}_{name}")
    return text.replace("v ==", f"{expression} ==")


def _weights(coded: Coded, instruction: Instruction) -> str:
    """Scoreboard entry of the register that a stationary array holds."""
    name = instruction.work.get("weights")
    if name is None:
        return "-1"
    variable = instruction.variable(str(name))
    slot = operand_slots(instruction).slot[variable.name]
    return f"((w >> {16 + 8 * slot}) & 255) + {coded.scoreboard[str(variable.register)]}"


def register_operands(coded: Coded, name: str) -> tuple[list[Access], list[Access]]:
    """Registers other than X that an instruction reads and writes."""
    operation = coded.operation(name)
    return (
        [access for access in operation.reads if access.register_file != "X"],
        [access for access in operation.writes if access.register_file != "X"],
    )


# -- the dispatch loop


def loop_source(coded: Coded, variant: Variant) -> str:
    """Source of ``run(address)``: executes until something stops it, see layout for the ways it comes back."""
    lines = [
        _vocabulary() + "from archsim.machine.jit import njit",
        "from archsim.machine.layout import *",
    ]
    if variant.timed:
        lines += ["from archsim.machine.cache import l1_access", "from archsim.machine.issue import issue"]
    lines += ["", "", "@njit", "def run(address):"]
    body = [
        "ctxp = pointer_int64(address)",
        "ctx = ctxp",
        "x = pointer_int64(ctx[X])",
        "code = pointer_int64(ctx[CODE])",
        "functions = pointer_int64(ctx[FUNCTIONS])",
        "ram = ctx[RAM]",
        "limit = np.uint64(max(ctx[RAM_HELD] - 4096 - 8, 0))",
        "base = ctx[TEXT]",
        "size = np.uint64(ctx[CODE_SIZE])",
        "n = ctx[INSTRET]",
        "budget = ctx[LIMIT_COUNT]",
        "i = (ctx[PC] - base) >> 1",
        "status = RUNNING",
    ]
    if variant.timed:
        body += [
            "sched = pointer_int64(ctx[SCHED])",
            "ready = pointer_int64(ctx[READY])",
            "cause = pointer_int64(ctx[CAUSE])",
            "stalls = pointer_int64(ctx[STALLS])",
            "events = pointer_int64(ctx[EVENTS])",
            "tags = pointer_int64(ctx[TAGS])",
            "line_shift = ctx[LINE_SHIFT]",
            "sets = ctx[TAG_SETS] - 1",
            "ways = ctx[TAG_WAYS]",
            "penalty = ctx[BRANCH_PENALTY]",
            "limit_time = ctx[LIMIT_TIME]",
            "now = ctx[NOW]",
        ]
    if variant.record:
        body += [
            "k = ctx[RECORD_COUNT]",
            "record_limit = ctx[RECORD_LIMIT]",
            "record_index = pointer_int32(ctx[RECORD_INDEX])",
            "record_value = pointer_int64(ctx[RECORD_VALUE])",
        ]
    if variant.replay:
        body += [
            "k = ctx[TRACE_POSITION]",
            "trace_index = pointer_int32(ctx[TRACE_INDEX])",
            "trace_value = pointer_int64(ctx[TRACE_VALUE])",
            "trace_count = ctx[TRACE_COUNT]",
        ]
    body += ["if np.uint64(i) >= size:", "    ctx[TRAP] = FETCH_FAULT", "    return TRAPPED"]
    body += ["while True:", *("    " + line for line in _round(coded, variant))]
    body += ["ctx[PC] = base + 2 * i", "ctx[INSTRET] = n"]
    if variant.timed:
        body += ["ctx[NOW] = now"]
    if variant.record:
        body += ["ctx[RECORD_COUNT] = k"]
    if variant.replay:
        body += ["ctx[TRACE_POSITION] = k"]
    body += ["return status"]
    return "\n".join(lines + ["    " + line for line in body]) + "\n"


def _round(coded: Coded, variant: Variant) -> list[str]:
    """One instruction: fetch, issue, execute, go on."""
    lines = []
    if variant.replay:
        lines += ["if k >= trace_count:", "    status = TRACE_END", "    break"]
        lines += ["i = np.int64(trace_index[k])", "traced = trace_value[k]"]
    lines += ["w = code[2 * i]", "imm = code[2 * i + 1]", "op = w & 0xFFFF", "pc = base + 2 * i"]
    lines += ["target = np.int64(-1)"]
    if variant.timed:
        lines += [
            "s = sched[i]",
            "d = s & 255",
            "first = (s >> 8) & 255",
            "second = (s >> 16) & 255",
            "start = ready[first]",
            "late = first",
            "if ready[second] > start:",
            "    start = ready[second]",
            "    late = second",
            "third = (s >> 48) & 255",
            "if ready[third] > start:",
            "    start = ready[third]",
            "    late = third",
            "if start > now:",
            "    stalls[cause[late]] += start - now",
            "else:",
            "    start = now",
            "now = start + 1",
            "ready[d] = start + ((s >> 24) & 0xFFFF)",
            "cause[d] = (s >> 40) & 255",
            "events[(s >> 40) & 255] += 1",
        ]
    if variant.record:
        lines += ["at = i"]
    keyword = "if"
    for number, name in enumerate(coded.inline):
        lines.append(f"{keyword} op == {number}:  # {name}")
        lines += ["    " + line for line in _inline(coded, name, variant)]
        keyword = "elif"
    lines.append("else:")
    lines += ["    " + line for line in _outside(variant)]
    lines.append("n += 1")
    if variant.record:
        lines += [
            "record_index[k] = at",
            "record_value[k] = x[d]",
            "k += 1",
            "if k >= record_limit:",
            "    status = RECORD_FULL",
            "if status != RUNNING:",
            "    break",
        ]
    if variant.replay:
        lines += ["k += 1"]
    return lines


def _inline(coded: Coded, name: str, variant: Variant) -> list[str]:
    instruction = coded.isa.instructions[name]
    operation = coded.operation(name)
    lowering = Lowering(
        instruction, operation, coded.isa.state, coded.isa.parameters, inline=True, replay=variant.replay
    )
    lines = lowering.statements()
    if instruction.unit in ("load", "store"):
        if not variant.replay:
            lines += ["if ctx[TRAP] != 0:", "    status = TRAPPED", "    break"]
        if variant.timed:
            lines += _cache_lines(str(lowering.address), instruction.unit == "store")
    if "jump" in operation.calls:
        return lines + _jump_lines(variant)
    return lines if variant.replay else [*lines, f"i += {instruction.width // 16}"]


def _cache_lines(address: str, store: bool) -> list[str]:
    """L1 lookup of a load or store: the most recent way here, the rest out of line."""
    lines = [
        f"line = {address} >> line_shift",
        "way0 = (line & sets) * ways",
        "if tags[way0] >> 1 == line:",
        f"    {'tags[way0] |= 1' if store else 'pass'}",
        "else:",
        f"    extra = l1_access(ctxp, {address}, start, np.int64({int(store)}))",
    ]
    if store:
        # a store buffer hides what a store misses by
        return lines
    return [*lines, "    if extra > 0:", "        ready[d] += extra", "        cause[d] = STALL_MISS"]


def _jump_lines(variant: Variant) -> list[str]:
    taken = ["    now += penalty", "    stalls[STALL_BRANCH] += penalty"]
    if variant.replay:
        return ["if k + 1 < trace_count and trace_index[k + 1] != i + 2:", *taken]
    lines = ["if target != -1:"]
    if variant.timed:
        lines += taken
    lines += [
        "    after = (target - base) >> 1",
        "    if np.uint64(after) >= size or target & 1:",
        "        ctx[TRAP] = FETCH_FAULT",
        "        ctx[TRAP_VALUE] = target",
        "        status = TRAPPED",
        "        break",
        "    i = after",
    ]
    if variant.timed:
        lines += ["    if now > limit_time or n >= budget:"]
    else:
        lines += ["    if n >= budget:"]
    lines += ["        status = YIELDED"]
    if not variant.record:
        lines += ["        n += 1", "        break"]
    return [*lines, "else:", "    i += 2"]


def _outside(variant: Variant) -> list[str]:
    """An instruction that is a function of its own."""
    lines = ["ctx[PC] = pc", "ctx[INSTRET] = n", "ctx[NEXT] = -1"]
    if variant.replay:
        lines += ["x[d] = traced"]
    if variant.timed:
        lines += [
            "status = issue(ctxp, op, w, imm, start)",
            "now = ctx[NOW]",
            "if status == BLOCKED:",
            "    now = start",
            "    events[(s >> 40) & 255] -= 1",
            "    break",
        ]
    else:
        lines += [
            "ctx[NOW] = n",
            "call_at(functions[op], ctxp, w, imm)",
            "if ctx[TRAP] == BARRIER_BLOCK:",
            "    ctx[TRAP] = 0",
            "    status = BLOCKED",
            "    break",
        ]
    trapped = [
        "if ctx[TRAP] != 0:",
        "    status = TRAPPED",
        "    if ctx[TRAP] == ENVIRONMENT_CALL:",
        "        ctx[TRAP] = 0",
        "        status = ECALL",
        "        i += 2",
        "        n += 1",
        "    break",
    ]
    if variant.replay:
        return [
            *lines,
            "if ctx[TRAP] == ENVIRONMENT_CALL:",
            "    ctx[TRAP] = 0",
            "if ctx[TRAP] != 0:",
            "    status = TRAPPED",
            "    break",
            "x[d] = traced",
        ]
    lines += trapped
    return [
        *lines,
        "if ctx[NEXT] != -1:",
        "    i = (ctx[NEXT] - base) >> 1",
        "    if np.uint64(i) >= size:",
        "        ctx[TRAP] = FETCH_FAULT",
        "        status = TRAPPED",
        "        break",
        "else:",
        "    i += 2",
    ]


def scheduler_source(loop_module: str) -> str:
    """Source of ``go(chip)``: harts and DMA engines in time order until Python is needed.

    The hart that is furthest behind goes next; engines never run ahead of it, so that what it starts still finds
    memory as it was then.
    """
    return f"""from archsim.machine.dma import burst, next_burst
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import *
from {loop_module} import run


@njit
def pick(chip):
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    best, best_time, other, live, waiting = -1, INFINITY, INFINITY, 0, 0
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        if ctx[FINISHED]:
            continue
        live += 1
        if ctx[SYNC_WAITING] == 1:
            waiting += 1
        elif ctx[BLOCKED_ON] == 0:
            if ctx[NOW] < best_time:
                other = best_time
                best, best_time = hart, ctx[NOW]
            elif ctx[NOW] < other:
                other = ctx[NOW]
    return best, best_time, other, live, waiting


@njit
def release(chip):
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    time = 0
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        if ctx[FINISHED] == 0:
            time = max(time, ctx[NOW])
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        if ctx[FINISHED] == 0:
            ctx[SYNC_WAITING] = -(time + chip[CHIP_SYNC_LATENCY])


@njit
def go(address):
    chip = pointer_int64(address)
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    while True:
        hart, time, other, live, waiting = pick(chip)
        if live > 0 and waiting == live:
            release(chip)
            continue
        burst_time, burst_hart, engine = next_burst(chip)
        if burst_hart >= 0 and (hart < 0 or burst_time <= time):
            burst(chip, pointer_int64(contexts[burst_hart]), engine)
            continue
        if hart < 0:
            return (0, EXITED) if live == 0 else (0, BLOCKED)
        ctx = pointer_int64(contexts[hart])
        ctx[LIMIT_TIME] = other + QUANTUM if other < INFINITY else INFINITY
        status = run(contexts[hart])
        if status == BLOCKED:
            continue
        if status != YIELDED or ctx[INSTRET] >= ctx[LIMIT_COUNT]:
            return (hart, status)
"""
