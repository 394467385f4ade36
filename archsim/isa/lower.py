"""Checked operations turned into Python source that numba compiles.

The text names only the vocabulary of `archsim.machine.host` and `archsim.machine.arithmetic` (loads and stores that
check addresses, RISC-V arithmetic) and a few local names that its surroundings provide:

==========  =====================================================================================
``w``       the predecoded word; operand slot s stands in bits 16+8s .. 23+8s
``imm``     the immediate
``ctx``     the hart's context, a pointer to int64
``x``       the integer registers (33: writes to x0 are redirected to slot 32)
==========  =====================================================================================

Inline code (inside the dispatch loop) also knows ``pc``, ``ram``, ``limit`` and sets ``target`` to jump. The sign of
``w`` says that the instruction came from a 16-bit one.

Where XLEN is 32, integer registers hold sign-extended 32-bit values: every write is wrapped to that, every address and
jump target to 32 unsigned bits.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass

from archsim.isa.element_types import ELEMENT_TYPES, ElementType
from archsim.isa.fields import largest_register
from archsim.isa.functions import CONTEXT_FUNCTIONS, CSR_WRITERS, FIXED_POINT
from archsim.isa.operation_expressions import Operation, csr_fields
from archsim.isa.register_shapes import group_size, operand_shape, row_bytes
from archsim.isa.spec import Instruction, State

SINK = 32
"""Slot that writes to x0 go to."""
SLOTS = 5


@dataclass(frozen=True)
class Slots:
    """Where predecoding puts an instruction's operands: variable -> slot number, and which one is the immediate."""

    slot: dict[str, int]
    immediate: str | None


def operand_slots(instruction: Instruction) -> Slots:
    """Registers take slots in the order of the variables, the widest immediate is ``imm``, others take slots."""
    immediates = sorted((v for v in instruction.variables if not v.register), key=lambda v: -v.width)
    names = [v.name for v in instruction.variables if v.register] + [v.name for v in immediates[1:]]
    return Slots({name: index for index, name in enumerate(names)}, immediates[0].name if immediates else None)


_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}
_SOFT = {
    "fadd": "soft_add", "fsub": "soft_sub", "fmul": "soft_mul", "fdiv": "soft_div", "fsqrt": "soft_sqrt",
    "fma": "soft_fma", "feq": "soft_eq", "flt": "soft_lt", "fle": "soft_le", "fmin": "soft_min", "fmax": "soft_max",
    "fclass": "soft_class", "fcvt": "soft_convert", "to_int": "soft_to_int", "from_int": "soft_from_int",
}  # fmt: skip
"""Float functions -> what does them in integers."""
_NEAR = frozenset({"fadd", "fsub", "fmul", "fdiv", "fma"})
"""Float functions whose last argument is the rounding mode, and which the host does where that is to nearest even."""
_WRAPPING = {ast.Add: "wrap_add", ast.Sub: "wrap_sub", ast.Mult: "wrap_mul"}
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_NUMPY = {"f32": "np.float32", "f64": "np.float64", "int": "np.int64"}


class Lowering:
    """Source of one operation.

    Args:
        instruction, operation: what to lower, as checked.
        state, parameters: of the Isa.
        inline: for the dispatch loop (loads take the fast path) or for a function of its own.
        replay: register results come from a trace (``traced``), loads and jumps do not happen.

    Attributes:
        near: whether the text is for the rounding mode to nearest even.
    """

    def __init__(
        self,
        instruction: Instruction,
        operation: Operation,
        state: dict[str, State],
        parameters: dict[str, int],
        *,
        inline: bool = False,
        replay: bool = False,
    ) -> None:
        self.instruction, self.operation, self.state, self.parameters = instruction, operation, state, parameters
        self.inline, self.replay = inline, replay
        self.near = inline
        self.slots = operand_slots(instruction)
        self.fields = csr_fields(state)
        self.lines: list[str] = []
        self.depth = 0
        self.temporaries = 0
        self.files: set[tuple[str, str]] = set()
        self.selected: dict[str, State] = {}
        self.csrs: dict[str, str] = {}
        self.hoists = False
        self.changed = {target.id for target in _targets(operation) if target.id in state}
        self.address: str | None = None
        self.narrow = parameters.get("XLEN") == 32

    def statements(self) -> list[str]:
        """The operation's statements, without the prologue."""
        self.hoists = not (self.inline or self.operation.calls & CSR_WRITERS)
        self.block(self.operation.body)
        return self.lines

    def expression(self) -> str:
        """The value of a single-expression operation."""
        statement = self.operation.body[0]
        assert isinstance(statement, ast.Expr)
        return self.expr(statement.value)

    def prologue(self) -> list[str]:
        """Pointers to the register files used (for functions of their own)."""
        lines = []
        for owner, kind in sorted(self.files):
            lines.append(f"p_{owner}_{kind} = pointer_{kind}(ctx[STATE] + OFFSET_{owner})")
        for name, view in sorted(self.selected.items()):
            self.csrs.setdefault(f"s_{name}", self.name(view.select.replace(".", "_")))
        if self.csrs:
            lines.append("csr = pointer_int64(ctx[CSR])")
        lines += [f"{name} = {text}" for name, text in self.csrs.items() if name.startswith("c_")]
        for name, view in sorted(self.selected.items()):
            lines.append(f"s_{name} = {self.csrs[f's_{name}']}")
            counts = [
                ELEMENT_TYPES[kind].count(row_bytes(self.state[str(view.of)])) if kind else 0 for kind in view.types
            ]
            lines.append(f"n_{name} = {choice(f's_{name}', [str(count) for count in counts], '0')}")
        return lines

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def block(self, body: list[ast.stmt]) -> None:
        start = len(self.lines)
        for statement in body:
            self.statement(statement)
        if len(self.lines) == start:
            self.emit("pass")

    def statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assign):
            self.assign(statement.targets[0], statement.value)
        elif isinstance(statement, ast.AugAssign):
            self.assign(statement.target, statement.value)
        elif isinstance(statement, ast.If):
            self.emit(f"if {self.expr(statement.test)}:")
            self.indented(statement.body)
            if statement.orelse:
                self.emit("else:")
                self.indented(statement.orelse)
        elif isinstance(statement, ast.For):
            assert isinstance(statement.iter, ast.Call) and isinstance(statement.target, ast.Name)
            bounds = ", ".join(self.expr(argument) for argument in statement.iter.args)
            self.emit(f"for v_{statement.target.id} in range({bounds}):")
            self.indented(statement.body)
        elif isinstance(statement, ast.Expr):
            assert isinstance(statement.value, ast.Call)
            self.call_statement(statement.value)

    def indented(self, body: list[ast.stmt]) -> None:
        self.depth += 1
        self.block(body)
        self.depth -= 1

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if self.replay and isinstance(target, ast.Subscript) and _name(target.value) == "X":
            # addresses still count: they drive the cache
            self.expr(value)
            self.emit(f"x[{self.slot(_index(target))}] = traced")
            return
        text = self.expr(value)
        if self.narrow and isinstance(target, ast.Subscript) and _name(target.value) == "X":
            text = f"sext_32({text})"
        if isinstance(target, ast.Name):
            if target.id in self.state:
                self.emit(f"csr_set(ctx, np.int64({self.state[target.id].address}), {text})")
            else:
                kind = _NUMPY[self.operation.variables[target.id]]
                self.emit(f"v_{target.id} = {kind}({text})")
            return
        assert isinstance(target, ast.Subscript)
        self.state_write(target, text)

    def call_statement(self, call: ast.Call) -> None:
        name = _name(call.func)
        arguments = [self.expr(argument) for argument in call.args]
        if name == "jump":
            if self.replay:
                return
            if self.narrow:
                arguments = [f"zext_32({arguments[0]})"]
            self.emit(f"target = {arguments[0]}" if self.inline else f"ctx[NEXT] = {arguments[0]}")
        elif name == "store":
            self.store(f"store_{self.operation.constants[id(call.args[0])]}", arguments[1:])
        elif name.startswith("store_"):
            self.store(name, arguments)
        else:
            self.emit(f"{name}({', '.join(['ctx', *arguments])})")

    def store(self, name: str, arguments: list[str]) -> None:
        if self.narrow:
            arguments = [f"zext_32({arguments[0]})", *arguments[1:]]
        if not self.inline:
            self.emit(f"{name}(ctx, {', '.join(arguments)})")
            return
        address = self.temporary(arguments[0])
        self.address = address
        if self.replay:
            return
        self.emit(f"if np.uint64(wrap_sub({address}, 4096)) < limit:")
        self.emit(f"    put_{name[6:]}(ram + {address}, {arguments[1]})")
        self.emit("else:")
        self.emit(f"    {name}(ctxp, {address}, {arguments[1]})")

    # -- expressions

    def expr(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return self.constant(node)
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.UnaryOp):
            return self.unary(node)
        if isinstance(node, ast.BoolOp):
            word = " and " if isinstance(node.op, ast.And) else " or "
            return "(" + word.join(self.expr(value) for value in node.values) + ")"
        if isinstance(node, ast.Compare):
            left, right = self.expr(node.left), self.expr(node.comparators[0])
            return f"({left} {_COMPARE[type(node.ops[0])]} {right})"
        if isinstance(node, ast.IfExp):
            return f"({self.expr(node.body)} if {self.expr(node.test)} else {self.expr(node.orelse)})"
        if isinstance(node, ast.Call):
            return self.call(node)
        assert isinstance(node, ast.Subscript)
        return self.state_read(node)

    def constant(self, node: ast.Constant) -> str:
        value = node.value
        if isinstance(value, float):
            return f"np.float32({value!r})"
        assert isinstance(value, int)
        return f"np.int64({value if value < 2**63 else value - 2**64})"

    def name(self, name: str) -> str:
        if name in self.operation.variables:
            return f"v_{name}"
        if name == "pc":
            return "pc" if self.inline else "ctx[PC]"
        if name == "next_pc":
            return f"({'pc' if self.inline else 'ctx[PC]'} + 4 + ((w >> 63) << 1))"
        if name == self.slots.immediate:
            return "imm"
        if name in self.slots.slot:
            slot = f"((w >> {16 + 8 * self.slots.slot[name]}) & 255)"
            return f"({slot} & 31)" if self.instruction.variable(name).register == "X" else slot
        if name in self.parameters:
            return f"np.int64({self.parameters[name]})"
        if name in self.fields:
            csr, low, width = self.fields[name]
            return self.csr(csr, name, f"(({{}} >> {low}) & {2**width - 1})")
        return self.csr(self.state[name], name, "{}")

    def csr(self, state: State, name: str, form: str) -> str:
        """A CSR's value, or part of it. One that nothing changes meanwhile is read once, before the operation."""
        plain = not (state.shows or state.float_flags or state.of)
        if not (self.hoists and plain) or state.name in self.changed:
            return form.format(f"csr_value(ctx, np.int64({state.address}))")
        self.csrs[f"c_{name}"] = form.format(f"csr[{state.address}]")
        return f"c_{name}"

    def slot(self, name: str) -> str:
        return f"(w >> {16 + 8 * self.slots.slot[name]}) & 255"

    def binary(self, node: ast.BinOp) -> str:
        left, right = self.expr(node.left), self.expr(node.right)
        if isinstance(node.op, (ast.LShift, ast.RShift)):
            symbol = "<<" if isinstance(node.op, ast.LShift) else ">>"
            if isinstance(node.right, ast.Constant) and isinstance(node.right.value, int):
                return f"({left} {symbol} {node.right.value & 63})"
            return f"({left} {symbol} ({right} & 63))"
        wrapping = _WRAPPING.get(type(node.op))
        if wrapping and self.operation.types[id(node)] == "int":
            return f"{wrapping}({left}, {right})"
        return f"({left} {_BINARY[type(node.op)]} {right})"

    def unary(self, node: ast.UnaryOp) -> str:
        symbol = {ast.Not: "not ", ast.Invert: "~", ast.USub: "-", ast.UAdd: "+"}[type(node.op)]
        return f"({symbol}{self.expr(node.operand)})"

    def call(self, node: ast.Call) -> str:
        name = _name(node.func)
        width = node.args[1].value if name in ("sext", "zext") and isinstance(node.args[1], ast.Constant) else None
        if width in (8, 16, 32):
            return f"{name}_{width!r}({self.expr(node.args[0])})"
        constants = [self.operation.constants[id(n)] for n in node.args if id(n) in self.operation.constants]
        arguments = [self.expr(argument) for argument in node.args[len(constants) :]]
        if name == "load":
            return self.load(f"load_i{constants[0]}", arguments[0])
        if name.startswith("load_"):
            return self.load(name, arguments[0])
        if name in FIXED_POINT:
            own = ["ctx"] if name.startswith(("sat_", "frac_", "narrow_")) else []
            bits = [f"np.int64({constant})" for constant in constants]
            return f"{name}({', '.join([*own, *arguments[:2], *bits, *arguments[2:]])})"
        if name in ("frec7", "frsqrt7"):
            return f"{name}({', '.join(['ctx', f'np.int64({constants[0]})', *arguments])})"
        if name == "set_vtype":
            # parameters VTYPE_... of extensions: the bits above V's own that they give a meaning
            others = sum(value for key, value in self.parameters.items() if key.startswith("VTYPE_"))
            return f"set_vtype(ctx, {', '.join(arguments)}, np.int64({self.parameters['XLEN']}), np.int64({others}))"
        if name in _SOFT and not _on_host(name, constants):
            # fcvt names its target first
            widths = [f"np.int64({constant})" for constant in reversed(constants)]
            own = [] if name == "fclass" else ["ctx"]
            return f"{_SOFT[name]}({', '.join([*own, *widths, *arguments])})"
        if name == "rounding" and self.near:
            return "np.int64(0)"
        if name in _NEAR and self.near:
            return f"near_{name}_{constants[0]}({', '.join(['ctx', *arguments[:-1]])})"
        if name in CONTEXT_FUNCTIONS:
            return f"{'_'.join([name, *map(str, constants)])}({', '.join(['ctx', *arguments])})"
        if name == "csr_read":
            return f"csr_read(ctx, {arguments[0]})"
        kinds = [self.operation.types.get(id(argument), "int") for argument in node.args]
        if name in ("min", "max", "clip", "abs"):
            suffix = "i" if kinds[0] in ("int", "bool") else "f"
            return f"{name}_{suffix}({', '.join(arguments)})"
        if name in ("f32", "f64"):
            return f"{_NUMPY[name]}({arguments[0]})"
        if name in ("exp", "exp2", "sqrt"):
            return f"{name}_{kinds[0]}({arguments[0]})"
        return f"{name}({', '.join(arguments)})"

    def load(self, name: str, address: str) -> str:
        if self.narrow:
            address = f"zext_32({address})"
        if not self.inline:
            return f"{name}(ctx, {address})"
        self.address = self.temporary(address)
        if self.replay:
            return "traced"
        value = f"t{self.temporaries}"
        self.temporaries += 1
        self.emit(f"if np.uint64(wrap_sub({self.address}, 4096)) < limit:")
        self.emit(f"    {value} = get_{name[5:]}(ram + {self.address})")
        self.emit("else:")
        self.emit(f"    {value} = {name}(ctxp, {self.address})")
        return value

    def temporary(self, text: str) -> str:
        name = f"t{self.temporaries}"
        self.temporaries += 1
        self.emit(f"{name} = {text}")
        return name

    # -- state

    def state_read(self, node: ast.Subscript) -> str:
        name = _name(node.value)
        if name == "X":
            # x0 reads as zero even where writes to it are redirected
            operand = _index(node)
            written = any(a.variable == operand for a in self.operation.writes)
            return f"x[{self.slot(operand)}{' & 31' if written else ''}]"
        state = self.state[name]
        row, column = self.place(node)
        if state.select:
            return f"get_view_{name}(ctx, {self.row_address(state, row)}, {column}, s_{name})"
        return self.reading(state, row, column)

    def state_write(self, node: ast.Subscript, text: str) -> None:
        name = _name(node.value)
        if name == "X":
            self.emit(f"x[{self.slot(_index(node))}] = {text}")
            return
        state = self.state[name]
        row, column = self.place(node)
        if state.select:
            self.emit(f"put_view_{name}(ctx, {self.row_address(state, row)}, {column}, s_{name}, {text})")
        else:
            self.emit(self.writing(state, row, column, text))

    def row_address(self, state: State, row: str) -> str:
        """Host address of a row of the register file that a view shows."""
        owner = self.state[str(state.of)]
        self.files.add((owner.name, "uint8"))
        return f"ctx[STATE] + OFFSET_{owner.name} + {_times(row, row_bytes(owner))}"

    def reading(self, state: State, row: str, column: str) -> str:
        """The value of an element in a row of a register file."""
        facts, pointer, size = self.carrier(state)
        return facts.read.format(**_places(facts, pointer, _times(row, size), column))

    def writing(self, state: State, row: str, column: str, value: str) -> str:
        facts, pointer, size = self.carrier(state)
        return facts.write.format(**_places(facts, pointer, _times(row, size), column), value=value)

    def carrier(self, state: State) -> tuple[ElementType, str, int]:
        """The type, the pointer to its elements, and how many of what that points to make a row."""
        owner = self.state[state.of] if state.of else state
        facts = ELEMENT_TYPES[state.type]
        self.files.add((owner.name, facts.carrier))
        size = row_bytes(owner)
        return facts, f"p_{owner.name}_{facts.carrier}", size if facts.packed else facts.count(size)

    def place(self, node: ast.Subscript) -> tuple[str, str]:
        """Row in a register file (all registers' rows counted through) and element in that row, as text."""
        state = self.state[_name(node.value)]
        owner = self.state[state.of] if state.of else state
        indices = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        row, shape = "", state.shape
        if state.kind != "scratch":
            register = indices.pop(0)
            operand = register.left if isinstance(register, ast.BinOp) else register
            variable = self.instruction.variable(_name(operand))
            shape = operand_shape(state, owner, self.instruction, variable)
            row = f"((w >> {16 + 8 * self.slots.slot[variable.name]}) & 255)"
            reach = largest_register(variable) + group_size(self.instruction, variable)
            if id(node) in self.operation.offsets:
                row = f"({row} + {self.expr(self.operation.offsets[id(node)])})"
                if reach > owner.count:
                    row = f"inside(ctx, {row}, np.int64({owner.count}))"
        texts = [self.expr(index) for index in indices]
        if id(node) not in self.operation.safe:
            sizes = [str(size) for size in shape]
            if state.select:
                self.selected[state.name] = state
                sizes[-1] = f"n_{state.name}"
            texts = [f"inside(ctx, {text}, np.int64({size}))" for text, size in zip(texts, sizes, strict=True)]
        elif state.select:
            self.selected[state.name] = state
        if not texts:
            return row, "0"
        if len(shape) == 1 and state.kind != "scratch" and id(node) not in self.operation.offsets:
            if reach > owner.count:
                # the group's last registers may not exist
                per = shape[0] // group_size(self.instruction, variable)
                texts[0] = f"(inside(ctx, {row} * {per} + {texts[0]}, np.int64({owner.count * per})) - {row} * {per})"
            return row, texts[0]
        for text, size in zip(texts[:-1], shape[:-1], strict=True):
            row = f"({row} * {size} + {text})" if row else text
        return row, texts[-1]


def _places(facts: ElementType, pointer: str, row: str, column: str) -> dict[str, str]:
    """What the texts of an element type name."""
    if facts.packed:
        return {"p": pointer, "row": row, "k": f"({column})"}
    return {"e": f"{pointer}[{_plus(row, column)}]"}


def _targets(operation: Operation) -> list[ast.Name]:
    """Names that an operation assigns."""
    nodes = (node for statement in operation.body for node in ast.walk(statement))
    assigned = (node.targets if isinstance(node, ast.Assign) else [node.target] for node in nodes
                if isinstance(node, ast.Assign | ast.AugAssign))  # fmt: skip
    return [target for targets in assigned for target in targets if isinstance(target, ast.Name)]


def _times(row: str, size: int) -> str:
    return f"{row} * {size}" if row else "0"


def _plus(row: str, column: str) -> str:
    return column if row == "0" else row if column == "0" else f"{row} + {column}"


def choice(selector: str, texts: list[str], otherwise: str) -> str:
    """The text that a selector's value picks."""
    chosen = otherwise
    for number, text in reversed(list(enumerate(texts))):
        chosen = f"({text} if {selector} == {number} else {chosen})"
    return chosen


def _on_host(name: str, widths: list[int]) -> bool:
    """Whether machine.hostfloat has a float function for these widths."""
    return name not in ("fmin", "fmax", "fclass") and all(width in (32, 64) for width in widths)


def state_layout(state: dict[str, State]) -> tuple[dict[str, int], int]:
    """Byte offset of each register file and scratch in a hart's state block (64-byte aligned), and the block's size.

    The integer registers live outside: the dispatch loop holds them.
    """
    offsets, position = {}, 0
    for name, entry in state.items():
        if entry.kind not in ("register_file", "scratch") or name == "X":
            continue
        offsets[name] = position
        rows = entry.count * math.prod(entry.shape[:-1])
        # one byte more: reading a packed element touches the next one
        position += (rows * row_bytes(entry) + 64) // 64 * 64
    return offsets, max(position, 64)


def _name(node: ast.expr) -> str:
    assert isinstance(node, ast.Name)
    return node.id


def _index(node: ast.Subscript) -> str:
    return _name(node.slice)
