"""Source of what is compiled per instruction outside the dispatch loop: its operation, and its demand on a unit."""

from __future__ import annotations

from typing import Any

from archsim.common.errors import InputError
from archsim.isa.lower import Lowering, choice, operand_slots
from archsim.isa.operation import check_expression
from archsim.isa.operation_expressions import Access
from archsim.isa.spec import Instruction, State
from archsim.isa.vector import VectorLowering, specialised
from archsim.isa.view_access import access_source
from archsim.machine.coded import SCALAR_FILES, Coded, vocabulary
from archsim.machine.jit import load_generated
from archsim.machine.layout import CLASS_ID, FIRST_DECOUPLED, FORMAT_ID, FORMATS, MAXIMUM_ACCESSES, SPACES, UNIT_ID


def vector_source(coded: Coded, name: str, sew: int) -> str:
    """Source of the function ``operation(ctx, w, imm)`` of a vector instruction for one element width."""
    isa, instruction = coded.isa, coded.isa.instructions[name]
    operation, parameters = specialised(isa, instruction, sew)
    lowering = VectorLowering(instruction, operation, isa.state_of(instruction), parameters)
    body = lowering.source()
    lines = [
        vocabulary() + "from archsim.machine.layout import *",
        "from archsim.machine.vector import VL_CSR, VLENB_CSR, VSTART_CSR",
        *(_access(view) for _, view in sorted(lowering.selected.items())),
        *(f"OFFSET_{owner} = {coded.offsets[owner]}" for owner in sorted({"V", *(o for o, _ in lowering.files)})),
        "",
        "",
        "def operation(ctx, w, imm):",
        "    x = pointer_int64(ctx[X])",
        *("    " + line for line in lowering.prologue()),
        *("    " + line for line in body),
        "    return 0",
    ]
    return "\n".join(lines) + "\n"


def instruction_source(coded: Coded, name: str) -> str:
    """Source of the function ``operation(ctx, w, imm)`` of an instruction outside the loop."""
    instruction = coded.isa.instructions[name]
    lowering = Lowering(instruction, coded.operation(name), coded.isa.state_of(instruction), coded.isa.parameters)
    body = lowering.statements()
    lines = [
        vocabulary() + "from archsim.machine.layout import CSR, NEXT, PC, STATE, X",
        *(_access(view) for _, view in sorted(lowering.selected.items())),
        *(f"OFFSET_{owner} = {coded.offsets[owner]}" for owner in sorted({owner for owner, _ in lowering.files})),
        "",
        "",
        "def operation(ctx, w, imm):",
        "    x = pointer_int64(ctx[X])",
        *("    " + line for line in lowering.prologue()),
        *("    " + line for line in body),
        "    return 0",
    ]
    return "\n".join(lines) + "\n"


def _access(view: State) -> str:
    """The line that imports a view's functions, which are generated and shared by all instructions that use it."""
    module = load_generated(f"view_{view.name}", vocabulary() + access_source(view))
    return f"from {module.__name__} import get_view_{view.name}, put_view_{view.name}"


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
    if instruction.vector is not None and not instruction.work:
        # vl elements as wide as vtype says
        lines.append("work[WORK_ELEMENTS] = pointer_int64(ctx[CSR])[VL_CSR]")
        lines.append("work[WORK_BITS] = np.int64(8) << (ctx[COLUMN] & 3)")
    lines.append(f"work[WORK_FORMAT] = {_format(coded, instruction, 'format')}")
    lines.append(f"work[WORK_ACTIVATIONS] = {_format(coded, instruction, 'activations')}")
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
        beyond = next((key for key in ("index", "planes", "blocks") if key in access), None)
        if beyond and instruction.unit != "dma":
            raise InputError(
                f"{name} has {beyond!r} in its memory accesses",
                file=instruction.file,
                line=instruction.line,
                remedy="leave gathers, planes and blocks to instructions of unit dma",
            )
        base = f"WORK_MEMORY + {index} * MEMORY_FIELDS"
        lines.append(f"work[{base} + ACCESS_WRITE] = {int(access['access'] == 'write')}")
        lines.append(f"work[{base} + ACCESS_DRAM] = {SPACES[access.get('space', 'scratchpad')]}")
        for key, slot, absent in (
            ("address", "ADDRESS", 0),
            ("rows", "ROWS", 0),
            ("row_bytes", "BYTES", 0),
            ("stride", "STRIDE", 0),
            ("index", "INDEX", 0),
            ("planes", "PLANES", 1),
            ("plane_stride", "PLANE_STRIDE", 0),
            ("blocks", "BLOCKS", 1),
            ("block_stride", "BLOCK_STRIDE", 0),
        ):
            lines.append(f"work[{base} + ACCESS_{slot}] = {_expression(coded, instruction, access.get(key, absent))}")
    header = [
        vocabulary() + "from archsim.machine.layout import *",
        "from archsim.machine.vector import VL_CSR",
        "",
        "",
        "def pattern(ctx, w, imm):",
        "    x = pointer_int64(ctx[X])",
        "    work = pointer_int64(ctx[WORK])",
    ]
    return "\n".join([*header, *("    " + line for line in lines), "    return 0"]) + "\n"


def _expression(coded: Coded, instruction: Instruction, value: Any) -> str:
    isa = coded.isa
    operation = check_expression(value, instruction.line, instruction, isa.state_of(instruction), isa.parameters)
    return Lowering(instruction, operation, isa.state_of(instruction), isa.parameters).expression()


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


def _format(coded: Coded, instruction: Instruction, key: str) -> str:
    """A number format by name, or by a CSR field whose values are formats (qfmt.wfmt)."""
    value = str(instruction.work.get(key, "none"))
    if "." not in value:
        return str(_word(instruction, key, FORMAT_ID))
    csr, _, name = value.partition(".")
    state = coded.isa.state.get(csr)
    if state is None or name not in state.fields or any(v not in FORMATS for v in state.fields[name][2]):
        raise InputError(
            f"{key} {value!r} of {instruction.name} is no CSR field of formats",
            file=instruction.file,
            line=instruction.line,
            remedy="name a field with values, as in qfmt.wfmt",
        )
    words = [str(FORMAT_ID[word]) for word in state.fields[name][2]]
    return choice(_expression(coded, instruction, f"{csr}_{name}"), words, "0")


def _weights(coded: Coded, instruction: Instruction) -> str:
    """Scoreboard entry of the register that a stationary array holds."""
    name = instruction.work.get("weights")
    if name is None:
        return "-1"
    variable = instruction.variable(str(name))
    slot = operand_slots(instruction).slot[variable.name]
    return f"((w >> {16 + 8 * slot}) & 255) + {coded.scoreboard[str(variable.register)]}"


def register_operands(coded: Coded, name: str) -> tuple[list[Access], list[Access]]:
    """Registers that a unit waits for, and those that it writes.

    The hart itself waits for scalar sources before it hands an instruction over.
    """
    operation = coded.operation(name)
    decoupled = UNIT_ID[coded.isa.instructions[name].unit] >= FIRST_DECOUPLED
    return (
        [access for access in operation.reads if access.register_file not in SCALAR_FILES],
        [access for access in operation.writes if decoupled or access.register_file not in SCALAR_FILES],
    )
