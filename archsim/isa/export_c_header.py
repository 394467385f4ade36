"""A C header for an extension, built on `.insn`, so that stock gcc and clang compile kernels that use it.

Operands in integer registers are C values. Other registers (tiles, barriers, ...) and immediates are constants, so
instructions that have them are macros.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from archsim.common.errors import unknown
from archsim.isa.encoding import operand_range
from archsim.isa.insn_text import insn, word
from archsim.isa.operation import check_operation
from archsim.isa.operation_expressions import Operation, csr_fields
from archsim.isa.spec import Extension, Instruction, Isa

_PURE_UNITS = ("alu", "mul", "div")

_PROLOGUE = """\
/* {long_name}. Made by archsim from {file}.
 * Operands in integer registers are values; tiles and other registers, and immediates, are integer constants. */
#ifndef {guard}
#define {guard}

#if !defined(__riscv) || __riscv_xlen != {xlen}
#error "this header is for RV{xlen}"
#endif

#define ARCHSIM_TEXT_(x) #x
#define ARCHSIM_TEXT(x) ARCHSIM_TEXT_(x)
#define ARCHSIM_INLINE static inline __attribute__((always_inline))
"""

# Numbers of registers by the names that compilers print, for encodings that `.insn` has no form for.
_NUMBERS = """\
#ifndef ARCHSIM_REGISTERS
#define ARCHSIM_REGISTERS
__asm__(
{equations}
);
#endif
"""


@dataclass(frozen=True)
class _Shape:
    """An instruction as C sees it: integer registers written and read, and what must be constant."""

    target: str | None
    sources: tuple[str, ...]
    constants: tuple[str, ...]
    pure: bool


def c_header(isa: Isa, extension: str) -> str:
    """The header of one extension.

    Every instruction that C can call becomes ``rv_NAME`` (dots as underscores) with its operands in the order of
    its assembly, less the integer register it writes, which is the value; every CSR ``rv_read_NAME()`` and
    ``rv_write_NAME(value)``. Jumps, and what depends on pc, are left out.

    Args:
        isa: holds the extension and those it requires.
        extension: its name, such as "Xqt".

    Raises:
        InputError: the Isa has no such extension.
    """
    if extension not in isa.extensions:
        raise unknown("extension", extension, isa.extensions)
    found = isa.extensions[extension]
    guard = f"ARCHSIM_{extension.upper()}_H"
    parts = [_PROLOGUE.format(long_name=_title(found), file=found.file.name, guard=guard, xlen=isa.xlen)]
    functions, left_out = [], []
    for instruction in found.instructions.values():
        shape = _shape(isa, instruction)
        if shape is None:
            left_out.append(instruction.name)
        else:
            functions += [_function(isa, form, shape) for form in _with_suffixes(instruction)]
    if any(".4byte" in function for function in functions):
        parts.append(_NUMBERS.format(equations="\n".join(_equations(isa))))
    parts += _csrs(found)
    parts += functions
    if left_out:
        parts.append(f"/* Not for C: {', '.join(left_out)}. */\n")
    return "\n".join([*parts, f"#endif /* {guard} */\n"])


def _title(extension: Extension) -> str:
    version = f" {extension.version}" if extension.version else ""
    return _comment(f"{extension.name}{version}: {extension.long_name}")


def _comment(text: str) -> str:
    return " ".join(text.split()).replace("*/", "* /").replace("\\", "/")


def _with_suffixes(instruction: Instruction) -> Iterator[Instruction]:
    """The instruction with each of the words that may stand behind its mnemonic (amoadd.w.aq), or as it is."""
    variable = next((variable for variable in instruction.variables if variable.suffix), None)
    if variable is None:
        yield instruction
        return
    others = tuple(other for other in instruction.variables if other is not variable)
    for value, suffix in enumerate(variable.values):
        if suffix is not None:
            match = list(instruction.match)
            for place, bit in enumerate(reversed(variable.bits)):
                match[instruction.width - 1 - bit] = str(value >> place & 1)
            name = instruction.name + suffix
            yield from _with_suffixes(replace(instruction, name=name, match="".join(match), variables=others))


def _by_names(instruction: Instruction) -> _Shape:
    """The shape of an instruction whose operation is not given: xd is written, xs1, xs2, ... are read."""
    order = instruction.written
    integers = [variable.name for variable in instruction.variables if variable.register == "X"]
    target = next((name for name in integers if name in ("xd", "rd")), None)
    sources = tuple(name for name in order if name in integers and name != target)
    return _Shape(target, sources, _constants(instruction), False)


def _constants(instruction: Instruction) -> tuple[str, ...]:
    """What is no integer register, less suffixes: they are part of the function's name."""
    variables = {variable.name: variable for variable in instruction.variables}
    return tuple(name for name in instruction.written if variables[name].register != "X" and not variables[name].suffix)


def _shape(isa: Isa, instruction: Instruction) -> _Shape | None:
    if instruction.width != 32 or instruction.expansion is not None:
        return None
    if instruction.operation is None:
        return _by_names(instruction)
    operation = check_operation(instruction, isa.state_of(instruction), isa.parameters_of(instruction))
    names = {node.id for statement in operation.body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    if "jump" in operation.calls or names & {"pc", "next_pc"}:
        return None
    integers = [variable.name for variable in instruction.variables if variable.register == "X"]
    written = [access.variable for access in operation.writes if access.register_file == "X"]
    if len(set(written)) > 1 or any(name not in integers for name in written):
        return None
    order = instruction.written
    target = written[0] if written else None
    read = {access.variable for access in operation.reads if access.register_file == "X"}
    return _Shape(
        target,
        tuple(name for name in order if name in integers and (name != target or name in read)),
        _constants(instruction),
        _is_pure(isa, instruction, operation, names),
    )


def _is_pure(isa: Isa, instruction: Instruction, operation: Operation, names: set[str]) -> bool:
    """Whether a compiler may move or drop it: it depends on integer registers only, and changes one."""
    csrs = {name for name, state in isa.state.items() if state.kind == "csr"} | set(csr_fields(isa.state))
    touched = {access.register_file for access in (*operation.reads, *operation.writes)}
    acts = any(re.match("load|store|csr|copy|trap|ecall|ebreak|fence|barrier", call) for call in operation.calls)
    return instruction.unit in _PURE_UNITS and touched <= {"X"} and not acts and not names & csrs


def _function(isa: Isa, instruction: Instruction, shape: _Shape) -> str:
    order = instruction.written
    parameters = [name for name in order if name in shape.sources or name in shape.constants]
    numbers = _placeholders(shape)
    text = insn(instruction, numbers) or word(instruction, numbers)
    name = f"rv_{instruction.name.replace('.', '_')}"
    form = f"{instruction.name} {instruction.assembly}".rstrip()
    what = f"/* {_comment(f'{form}: {instruction.long_name}')}{_limits(isa, instruction)} */"
    if shape.constants:
        return f"{what}\n#define {name}({', '.join(parameters)}) {_macro_body(shape, text)}\n"
    result = "unsigned long" if shape.target else "void"
    arguments = ", ".join(f"unsigned long {name}" for name in parameters) or "void"
    body = f"{_statement(shape, text, macro=False)};"
    if shape.target:
        start = f" = {shape.target}" if shape.target in shape.sources else ""
        body = f"unsigned long result{start};\n    {body}\n    return result;"
    return f"{what}\nARCHSIM_INLINE {result} {name}({arguments})\n{{\n    {body}\n}}\n"


def _limits(isa: Isa, instruction: Instruction) -> str:
    """What constants may be, for the comment."""
    texts = []
    for variable in instruction.variables:
        low, high, step = operand_range(variable)
        if variable.values:
            words = [f"{value} {word or '(none)'}" for value, word in enumerate(variable.values) if word is not None]
            texts.append(f"{variable.name} {', '.join(words)}")
        elif variable.register is None:
            texts.append(f"{variable.name} {low} to {high}" + (f" in steps of {step}" if step > 1 else ""))
        elif variable.register != "X":
            names = isa.state[variable.register].names
            steps = f" in steps of {step}" if step > 1 else ""
            last = min(high, len(names) - 1)
            texts.append(f"{variable.name} {low} to {last}{steps} for {names[low]} to {names[last]}")
    return f"; {', '.join(texts)}" if texts else ""


def _placeholders(shape: _Shape) -> dict[str, str]:
    """Integer register variable -> operand of the asm statement."""
    numbers = {shape.target: "%0"} if shape.target else {}
    start = len(numbers)
    others = [name for name in shape.sources if name != shape.target]
    return numbers | {name: f"%{start + index}" for index, name in enumerate(others)}


def _macro_body(shape: _Shape, text: str) -> str:
    if not shape.target:
        return _statement(shape, text, macro=True)
    start = f" = (unsigned long)({shape.target})" if shape.target in shape.sources else ""
    return f"({{ unsigned long result_{start}; {_statement(shape, text, macro=True)}; result_; }})"


def _statement(shape: _Shape, text: str, macro: bool) -> str:
    """The asm statement, without a semicolon; in a macro, arguments may be any expression."""
    result = "result_" if macro else "result"
    change = "+" if shape.target in shape.sources else "="
    inputs = [name for name in shape.sources if name != shape.target]
    parts = [
        text,
        f'"{change}r"({result})' if shape.target else "",
        ", ".join(f'"r"((unsigned long)({name}))' if macro else f'"r"({name})' for name in inputs),
        "" if shape.pure else '"memory"',
    ]
    while not parts[-1]:
        parts.pop()
    joined = parts[0] + "".join(f" : {part}" if part else " :" for part in parts[1:])
    return f"__asm__{'' if shape.pure else ' volatile'}({joined})"


def _equations(isa: Isa) -> list[str]:
    return [f'    ".equ .Larchsim_{name}, {number}\\n"' for name, number in isa.register_numbers["X"].items()]


def _csrs(extension: Extension) -> list[str]:
    parts = []
    for name, state in extension.state.items():
        if state.kind != "csr":
            continue
        parts.append(
            f"/* CSR {name}: {_comment(state.description)} */\n"
            f"ARCHSIM_INLINE unsigned long rv_read_{name}(void)\n{{\n    unsigned long result;\n"
            f'    __asm__ volatile("csrr %0, {state.address:#x}" : "=r"(result) : : "memory");\n'
            "    return result;\n}\n"
        )
        if state.writable:
            parts.append(
                f"ARCHSIM_INLINE void rv_write_{name}(unsigned long value)\n{{\n"
                f'    __asm__ volatile("csrw {state.address:#x}, %0" : : "r"(value) : "memory");\n}}\n'
            )
    return parts
