"""The operation language: what an instruction means, parsed, whitelisted and typed.

An ISA file comes from strangers. Its operations can compute on the declared state and on simulated memory, and can do
nothing else: no attribute, import, call or subscript outside the lists below, and every loop has a known bound.

Values are ``int`` (64-bit two's complement, wraps), ``f32`` and ``f64``; ``bool`` is the result of comparisons and may
stand where an int is expected. Integers and floats never mix silently.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import NoReturn

from archsim.common.errors import InputError, nearest
from archsim.isa.intervals import ANY, Interval, binary_interval, call_interval, fitted
from archsim.isa.spec import Instruction, State, Text

LOOP_LIMIT = 1 << 28
"""Largest number of rounds that one loop may be bounded by."""

# name -> (argument types, result). "num" takes ints or floats alike and gives the same; "const" is an int known when
# the operation is compiled, such as a width; "" is no result.
FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "sext": (("int", "int"), "int"),
    "zext": (("int", "int"), "int"),
    "shr": (("int", "int"), "int"),
    "ltu": (("int", "int"), "int"),
    "mulh": (("int", "int"), "int"),
    "mulhu": (("int", "int"), "int"),
    "mulhsu": (("int", "int"), "int"),
    "div": (("int", "int"), "int"),
    "divu": (("int", "int"), "int"),
    "rem": (("int", "int"), "int"),
    "remu": (("int", "int"), "int"),
    **dict.fromkeys(("clz", "ctz", "rev8", "clmul"), (("int", "int"), "int")),
    **dict.fromkeys(("cpop", "orc_b", "brev8", "zip_bits", "unzip_bits"), (("int",), "int")),
    **dict.fromkeys(("clmulh", "clmulr"), (("int", "int", "int"), "int")),
    "min": (("num", "num"), "num"),
    "max": (("num", "num"), "num"),
    "abs": (("num",), "num"),
    "clip": (("num", "num", "num"), "num"),
    "round_shift": (("int", "int"), "int"),
    "f32": (("any",), "f32"),
    "f64": (("any",), "f64"),
    "rint": (("float",), "int"),
    "exp": (("float",), "float"),
    "sqrt": (("float",), "float"),
    "as_f32": (("int",), "f32"),
    "as_int": (("f32",), "int"),
    **{f"load_{kind}": (("int",), "int") for kind in ("i8", "u8", "i16", "u16", "i32", "u32", "i64")},
    "load_f32": (("int",), "f32"),
    "load_f16": (("int",), "f32"),
    **{f"store_{bits}": (("int", "int"), "") for bits in (8, 16, 32, 64)},
    "store_f32": (("int", "f32"), ""),
    "store_f16": (("int", "f32"), ""),
    "csr_read": (("int",), "int"),
    "csr_write": (("int", "int"), ""),
    "jump": (("int",), ""),
    "copy": (("int", "int", "int", "int", "int", "int"), ""),
    "trap": (("int",), ""),
    "ecall": ((), ""),
    "ebreak": ((), ""),
    "fence": ((), ""),
    "fence_i": ((), ""),
    "misaligned": (("int",), ""),
    "reserve": (("int",), ""),
    "reserved": (("int",), "bool"),
    "release": ((), ""),
    "barrier": ((), ""),
    "mret": ((), ""),
    "wfi": ((), ""),
    "load": (("const", "int"), "int"),
    "store": (("const", "int", "int"), ""),
    "rounding": (("int",), "int"),
    "box": (("const", "int"), "int"),
    "unbox": (("const", "int"), "int"),
    **dict.fromkeys(("fadd", "fsub", "fmul", "fdiv"), (("const", "int", "int", "int"), "int")),
    "fsqrt": (("const", "int", "int"), "int"),
    "fma": (("const", "int", "int", "int", "int"), "int"),
    **dict.fromkeys(("feq", "flt", "fle", "fmin", "fmax"), (("const", "int", "int"), "int")),
    "fclass": (("const", "int"), "int"),
    "fcvt": (("const", "const", "int", "int"), "int"),
    "to_int": (("const", "int", "int", "int", "int"), "int"),
    "from_int": (("const", "int", "int", "int"), "int"),
    "fcvt_odd": (("const", "const", "int"), "int"),
    "frec7": (("const", "int", "int"), "int"),
    "frsqrt7": (("const", "int"), "int"),
    "set_vtype": (("int", "int"), "int"),
    "set_vl": (("int",), ""),
    "active": (("int",), "bool"),
    "mask_bit": (("int",), "int"),
    "span": (("int",), "int"),
    "load_row": (("const", "int", "int"), "int"),
    "store_row": (("const", "int", "int", "int"), ""),
    "accessible": (("int", "int"), "bool"),
    **{f"sat_{name}": (("const", "int", "int"), "int") for name in ("add", "addu", "sub", "subu")},
    **{f"avg_{name}": (("const", "int", "int", "int"), "int") for name in ("add", "addu", "sub", "subu")},
    "frac_mul": (("const", "int", "int", "int"), "int"),
    "round_shr": (("int", "int", "int"), "int"),
    "round_shru": (("const", "int", "int", "int"), "int"),
    "narrow_clip": (("const", "int", "int", "int"), "int"),
    "narrow_clipu": (("const", "int", "int", "int"), "int"),
}
FIXED_POINT = frozenset(
    {name for name in FUNCTIONS if name.startswith(("sat_", "avg_", "round_shr"))}
    | {"frac_mul", "narrow_clip", "narrow_clipu"}
)
"""Fixed-point functions: compiled ones take the width, where there is one, behind their two operands."""
CONTEXT_FUNCTIONS = frozenset(
    {
        "reserved", "rounding", "box", "unbox", "fadd", "fsub", "fmul", "fdiv", "fsqrt", "fma", "feq", "flt", "fle",
        "fmin", "fmax", "fclass", "fcvt", "to_int", "from_int", "fcvt_odd", "frec7", "frsqrt7", "accessible",
    }
)  # fmt: skip
"""Functions with a value that work on the hart: on its flags, its reservation, its rounding mode."""

_COUNTERS = ("pc", "next_pc")
_BINARY = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_STATE_TYPES = {"float16": "f32", "float32": "f32", "float64": "f64"}


@dataclass(frozen=True)
class Access:
    """A register file touched through an operand variable: t[td, ...] is Access("t", "td")."""

    register_file: str
    variable: str


@dataclass
class Operation:
    """A checked operation: its syntax tree, the type of each expression, and what state it touches.

    Attributes:
        body: the statements.
        types: id(node) -> type of every expression node.
        safe: ids of subscripts whose indices are proven to lie inside the register.
        reads, writes: register files touched, through which operand.
        calls: functions called.
        variables: local variable -> type.
        constants: id(node) -> value of arguments that are known when compiled.
    """

    body: list[ast.stmt]
    types: dict[int, str] = field(default_factory=dict)
    safe: set[int] = field(default_factory=set)
    reads: list[Access] = field(default_factory=list)
    writes: list[Access] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    constants: dict[int, int] = field(default_factory=dict)


def check_operation(instruction: Instruction, state: dict[str, State], parameters: dict[str, int]) -> Operation:
    """Parse and check an instruction's operation.

    Raises:
        InputError: with file, line and column, and what is allowed.
    """
    text = instruction.operation
    assert text is not None, "what expands to another instruction has no operation"
    return _Checker(instruction, state, parameters, text).statements()


def check_expression(
    source: str, line: int, instruction: Instruction, state: dict[str, State], parameters: dict[str, int]
) -> Operation:
    """Check one integer expression (of `work:` or `memory:`); the result's body is a single ast.Expr."""
    return _Checker(instruction, state, parameters, Text(str(source), instruction.file, line)).expression()


def csr_fields(state: dict[str, State]) -> dict[str, tuple[State, int, int]]:
    """Names such as qfmt_wfmt -> (CSR, least significant bit, width)."""
    return {
        f"{csr.name}_{name}": (csr, low, width)
        for csr in state.values()
        if csr.kind == "csr"
        for name, (low, width, _) in csr.fields.items()
    }


class _Checker:
    def __init__(
        self, instruction: Instruction, state: dict[str, State], parameters: dict[str, int], text: Text
    ) -> None:
        self.instruction, self.state, self.parameters, self.text = instruction, state, parameters, text
        self.fields = csr_fields(state)
        self.operands = {variable.name: variable for variable in instruction.variables}
        self.intervals: dict[str, Interval] = {}
        self.conditional = 0
        self.result = Operation([])
        # loop variables that are elements of the vector at work
        self.rounds: set[str] = set()
        if instruction.vector is not None and instruction.vector.loop:
            self.rounds.add("i")
            self.result.variables["i"] = "int"

    def fail(self, node: ast.AST | None, message: str, remedy: str) -> NoReturn:
        line = self.text.line + getattr(node, "lineno", 1) - 1
        column = getattr(node, "col_offset", 0) + 1
        raise InputError(
            f"operation of {self.instruction.name}: {message}",
            file=self.text.file,
            line=line,
            column=column,
            remedy=remedy,
        )

    def parse(self) -> ast.Module:
        try:
            return ast.parse(self.text.source)
        except (SyntaxError, ValueError) as error:
            line = self.text.line + (getattr(error, "lineno", 1) or 1) - 1
            raise InputError(
                f"operation of {self.instruction.name}: {getattr(error, 'msg', error)}",
                file=self.text.file,
                line=line,
                column=getattr(error, "offset", None),
                remedy="mend the syntax",
            ) from None

    def statements(self) -> Operation:
        self.result.body = self.parse().body
        if not self.result.body:
            self.fail(None, "is empty", "write at least one statement")
        self.block(self.result.body)
        return self.result

    def expression(self) -> Operation:
        body = self.parse().body
        if len(body) != 1 or not isinstance(body[0], ast.Expr):
            self.fail(None, f"{self.text.source!r} is not one expression", "write an integer expression")
        self.result.body = body
        self.want(body[0].value, "int")
        return self.result

    # -- statements

    def block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, ast.Assign):
                if len(statement.targets) != 1:
                    self.fail(statement, "chained assignment", "assign one name at a time")
                self.assign(statement.targets[0], statement.value, statement)
            elif isinstance(statement, ast.AugAssign):
                self.augmented(statement)
            elif isinstance(statement, ast.If):
                self.want(statement.test, "bool")
                self.block(statement.body)
                self.block(statement.orelse)
            elif isinstance(statement, ast.For):
                self.loop(statement)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                if self.call(statement.value) != "":
                    self.fail(statement, "a value that nobody uses", "assign it, or take the line out")
            elif isinstance(statement, ast.Pass):
                pass
            else:
                self.fail(
                    statement,
                    f"{_word(statement)} is not allowed",
                    "allowed are assignments, if, for ... in range(...), and calls of the listed functions",
                )

    def assign(self, target: ast.expr, value: ast.expr, statement: ast.stmt) -> None:
        kind = self.expr(value)
        if isinstance(target, ast.Name):
            self.assign_name(target, value, kind)
        elif isinstance(target, ast.Subscript):
            self.store_state(target, value, kind)
        else:
            self.fail(statement, f"assignment to {_word(target)}", "assign to a name or to declared state")

    def assign_name(self, target: ast.Name, value: ast.expr, kind: str) -> None:
        name = target.id
        if name in self.state and self.state[name].kind == "csr":
            if kind not in ("int", "bool"):
                self.fail(value, f"CSR {name} takes an int, not {kind}", "convert it with rint()")
            if not self.state[name].writable:
                self.fail(target, f"CSR {name} is read-only", "take the assignment out")
            return
        if name in self.operands or name in self.parameters or name in self.state or name in self.fields:
            self.fail(target, f"{name} cannot be assigned", "use another name")
        if name in FUNCTIONS or name in (*_COUNTERS, "range", "X") or name.startswith("_"):
            self.fail(target, f"{name} is not a free name", "use another name")
        kind = "int" if kind == "bool" else kind
        known = self.result.variables.get(name)
        if known is None:
            self.result.variables[name] = kind
            self.intervals[name] = self.interval(value)
        elif known != kind:
            self.fail(target, f"{name} is {known}, the value is {kind}", f"convert it with {known}(), or rename")
        else:
            self.intervals[name] = ANY

    def augmented(self, statement: ast.AugAssign) -> None:
        target = statement.target
        read: ast.expr
        if isinstance(target, ast.Name):
            read = ast.Name(target.id, ast.Load())
        elif isinstance(target, ast.Subscript):
            read = ast.Subscript(target.value, target.slice, ast.Load())
        else:
            self.fail(statement, f"assignment to {_word(target)}", "assign to a name or to declared state")
        ast.copy_location(read, target)
        statement.value = ast.copy_location(ast.BinOp(read, statement.op, statement.value), statement)
        self.assign(target, statement.value, statement)

    def loop(self, statement: ast.For) -> None:
        call = statement.iter
        if not (
            isinstance(statement.target, ast.Name)
            and isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "range"
            and not call.keywords
            and 1 <= len(call.args) <= 3
            and not statement.orelse
        ):
            self.fail(statement, "only 'for NAME in range(...)' loops are allowed", "rewrite the loop")
        for argument in call.args:
            self.want(argument, "int")
        name = statement.target.id
        if name in self.operands or name in self.parameters or name in self.state or name in FUNCTIONS:
            self.fail(statement, f"{name} cannot be a loop variable", "use another name")
        low, high = self.loop_interval(statement, call.args)
        if high - low >= LOOP_LIMIT:
            self.fail(
                call,
                "the loop has no known bound",
                "bound it by a constant, a parameter, or a CSR with a maximum (min() and clip() help)",
            )
        if self.result.variables.setdefault(name, "int") != "int":
            self.fail(statement, f"{name} is {self.result.variables[name]}, a loop variable is int", "rename it")
        self.intervals[name] = (low, max(low, high))
        if [ast.unparse(argument) for argument in call.args] in (["vl"], ["vstart", "vl"]):
            self.rounds.add(name)
        # what a loop body assigns may hold any value in the next round
        for node in ast.walk(statement):
            if isinstance(node, (ast.Assign, ast.AugAssign)):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name) and target.id in self.intervals and target.id != name:
                        self.intervals[target.id] = ANY
        self.block(statement.body)

    def loop_interval(self, statement: ast.For, arguments: list[ast.expr]) -> Interval:
        """The values a loop variable takes."""
        if len(arguments) == 1:
            return 0, self.interval(arguments[0])[1] - 1
        first, last = self.interval(arguments[0]), self.interval(arguments[1])
        if len(arguments) == 2:
            return first[0], last[1] - 1
        step = self.constant(arguments[2])
        if step == 0:
            self.fail(statement, "the step must be a constant other than 0", "write it as a number")
        return (first[0], last[1] - 1) if step > 0 else (last[0] + 1, first[1])

    def constant(self, node: ast.expr) -> int:
        low, high = self.interval(node)
        return low if low == high else 0

    # -- expressions

    def want(self, node: ast.expr, kind: str) -> None:
        found = self.expr(node)
        if found == kind or {found, kind} == {"int", "bool"}:
            return
        if kind == "float" and found in ("f32", "f64"):
            return
        self.fail(node, f"{ast.unparse(node)} is {found}, not {kind}", f"convert it with {_convert(kind)}")

    def expr(self, node: ast.expr) -> str:
        kind = self.expr_type(node)
        self.result.types[id(node)] = kind
        return kind

    def expr_type(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
                self.fail(node, f"{node.value!r} is not a number", "write a number")
            if isinstance(node.value, int) and not -(2**63) <= node.value < 2**64:
                self.fail(node, f"{node.value} does not fit 64 bits", "write a smaller number")
            return "int" if isinstance(node.value, int) else "f32"
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.UnaryOp):
            return self.unary(node)
        if isinstance(node, ast.BoolOp):
            self.conditional += 1
            for value in node.values:
                self.want(value, "bool")
            self.conditional -= 1
            return "bool"
        if isinstance(node, ast.Compare):
            return self.compare(node)
        if isinstance(node, ast.IfExp):
            return self.if_expression(node)
        if isinstance(node, ast.Call):
            kind = self.call(node)
            if kind == "":
                self.fail(node, f"{ast.unparse(node.func)}() gives no value", "use it as a statement")
            return kind
        if isinstance(node, ast.Subscript):
            return self.state_access(node, self.result.reads)
        self.fail(
            node,
            f"{_word(node)} is not allowed",
            "allowed are numbers, operands, state, + - * & | ^ ~ << >>, comparisons and the listed functions",
        )

    def name(self, node: ast.Name) -> str:
        name = node.id
        if name in self.result.variables:
            return self.result.variables[name]
        if name in self.operands or name in self.parameters or name in self.fields or name in _COUNTERS:
            return "int"
        if name == "vlmax" and self.instruction.vector is not None:
            return "int"
        if name in self.state:
            if self.state[name].kind == "csr":
                return "int"
            self.fail(node, f"{name} is a register file", f"index it, as in {name}[operand]")
        known = {*self.result.variables, *self.operands, *self.parameters, *self.fields, *self.state, *_COUNTERS}
        near = nearest(name, known)
        self.fail(
            node,
            f"unknown name {name!r}",
            f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}",
        )

    def binary(self, node: ast.BinOp) -> str:
        symbol = _BINARY.get(type(node.op))
        if symbol is None:
            self.fail(node, f"operator {_word(node.op)} is not allowed", f"allowed: {' '.join(_BINARY.values())}")
        left, right = self.expr(node.left), self.expr(node.right)
        left, right = ("int" if kind == "bool" else kind for kind in (left, right))
        if left != right:
            self.fail(node, f"{left} {symbol} {right}", "convert one side with f32(), f64() or rint()")
        if left == "int" and symbol == "/":
            self.fail(node, "int / int", "use div() or divu(), or convert with f32()")
        if left != "int" and symbol not in "+-*/":
            self.fail(node, f"{left} {symbol} {right}", "bit operations take ints")
        return left

    def unary(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            self.want(node.operand, "bool")
            return "bool"
        kind = self.expr(node.operand)
        kind = "int" if kind == "bool" else kind
        if isinstance(node.op, ast.Invert) and kind != "int":
            self.fail(node, f"~ of {kind}", "bit operations take ints")
        return kind

    def compare(self, node: ast.Compare) -> str:
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            self.fail(node, "only a single == != < <= > >= is allowed", "join two comparisons with 'and'")
        left, right = self.expr(node.left), self.expr(node.comparators[0])
        if ("int" if left == "bool" else left) != ("int" if right == "bool" else right):
            self.fail(node, f"{left} compared with {right}", "convert one side")
        return "bool"

    def if_expression(self, node: ast.IfExp) -> str:
        self.want(node.test, "bool")
        self.conditional += 1
        left, right = self.expr(node.body), self.expr(node.orelse)
        self.conditional -= 1
        left, right = ("int" if kind == "bool" else kind for kind in (left, right))
        if left != right:
            self.fail(node, f"{left} in one case, {right} in the other", "convert one side")
        return left

    def call(self, node: ast.Call) -> str:
        if not isinstance(node.func, ast.Name):
            self.fail(node, f"{_word(node.func)} is not allowed", "call one of the listed functions")
        name = node.func.id
        if name not in FUNCTIONS:
            near = nearest(name, FUNCTIONS)
            self.fail(
                node,
                f"unknown function {name!r}",
                f"did you mean {near!r}?" if near else f"allowed: {', '.join(FUNCTIONS)}",
            )
        wanted, result = FUNCTIONS[name]
        if node.keywords or len(node.args) != len(wanted):
            self.fail(node, f"{name}() takes {len(wanted)} arguments", "count them")
        if self.conditional and (name.startswith("load") or name == "csr_read"):
            self.fail(node, f"{name}() inside a condition", "load into a variable first")
        self.result.calls.add(name)
        kinds = [self.argument(node, argument, want) for argument, want in zip(node.args, wanted, strict=True)]
        if "num" in wanted and len(set(kinds)) != 1:
            self.fail(node, f"{name}() of {' and '.join(kinds)}", "convert one of them")
        return kinds[0] if result in ("num", "float") else result

    def argument(self, call: ast.Call, node: ast.expr, want: str) -> str:
        if want == "const":
            self.want(node, "int")
            low, high = self.interval(node)
            if low != high:
                self.fail(node, f"{ast.unparse(node)} is not known when compiled", "write a number or a parameter")
            self.result.constants[id(node)] = low
            return "int"
        if want in ("num", "any"):
            kind = self.expr(node)
            return "int" if kind == "bool" else kind
        self.want(node, want)
        return self.result.types[id(node)]

    # -- state

    def store_state(self, target: ast.Subscript, value: ast.expr, kind: str) -> None:
        declared = self.state_access(target, self.result.writes)
        self.result.types[id(target)] = declared
        if declared != kind and {declared, kind} != {"int", "bool"}:
            self.fail(value, f"the value is {kind}, the register holds {declared}", f"use {_convert(declared)}")

    def state_access(self, node: ast.Subscript, into: list[Access]) -> str:
        if not isinstance(node.value, ast.Name) or node.value.id not in self.state:
            known = [name for name, state in self.state.items() if state.kind != "csr"]
            self.fail(node, f"{ast.unparse(node.value)}[...] is not declared state", f"declared: {', '.join(known)}")
        state = self.state[node.value.id]
        if state.kind == "csr":
            self.fail(node, f"{state.name} is a CSR", "use it by its name alone")
        indices = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        owner = self.state[state.of] if state.of else state
        shape = self.view_shape(state, owner)
        if len(indices) != 1 + len(shape):
            self.fail(node, f"{state.name} takes {1 + len(shape)} indices", f"write {state.name}[operand, ...]")
        operand = indices[0]
        if not (isinstance(operand, ast.Name) and operand.id in self.operands):
            self.fail(node, f"the register of {state.name} must be an operand", "index it by an operand variable")
        register = self.operands[operand.id].register
        if register != owner.name:
            found = f"selects from {register}" if register else "is an immediate"
            self.fail(node, f"operand {operand.id} {found}, not {owner.name}", "use an operand of that file")
        self.result.types[id(operand)] = "int"
        inside = True
        for index, size in zip(indices[1:], shape, strict=True):
            self.want(index, "int")
            low, high = self.interval(index)
            inside = inside and low >= 0 and high < size
        if state.vector:
            inside = isinstance(indices[1], ast.Name) and indices[1].id in self.rounds
        if inside:
            self.result.safe.add(id(node))
        access = Access(owner.name, operand.id)
        if access not in into:
            into.append(access)
        return _STATE_TYPES.get(state.type, "int")

    def view_shape(self, state: State, owner: State) -> tuple[int, ...]:
        return view_shape(state, owner)

    # -- intervals

    def interval(self, node: ast.expr) -> Interval:
        """Bounds of an int expression, as far as they are known."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value, node.value
        if isinstance(node, ast.Name):
            return self.name_interval(node.id)
        if isinstance(node, ast.IfExp):
            one, two = self.interval(node.body), self.interval(node.orelse)
            return min(one[0], two[0]), max(one[1], two[1])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            low, high = self.interval(node.operand)
            return fitted(-high, -low)
        if isinstance(node, ast.BinOp):
            return binary_interval(node.op, self.interval(node.left), self.interval(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            bounds = [self.interval(argument) for argument in node.args]
            return call_interval(node.func.id, bounds)
        return ANY

    def name_interval(self, name: str) -> Interval:
        if name in self.intervals:
            return self.intervals[name]
        if name in self.parameters:
            return self.parameters[name], self.parameters[name]
        if name in self.operands and self.operands[name].register:
            return 0, 2 ** self.operands[name].width - 1
        if name in self.operands:
            variable = self.operands[name]
            span = 2 ** (variable.width + variable.left_shift)
            return (-span // 2, span // 2 - 1) if variable.signed else (0, span - 1)
        if name in self.fields:
            return 0, 2 ** self.fields[name][2] - 1
        if name == "vlmax":
            return 0, self.parameters.get("VLEN", 0)
        if name in self.state and self.state[name].kind == "csr" and self.state[name].maximum < 2**62:
            return 0, self.state[name].maximum
        return ANY


def view_shape(state: State, owner: State) -> tuple[int, ...]:
    """Shape of one register seen through a view: the last dimension scales with the element width."""
    if state is owner or not owner.shape:
        return owner.shape
    bits, seen = element_bits(owner.type), element_bits(state.type)
    return (*owner.shape[:-1], owner.shape[-1] * bits // seen)


def element_bits(kind: str) -> int:
    """Bits of an element type: int4 is 4, float16 is 16."""
    return int("".join(c for c in kind if c.isdigit()))


def _convert(kind: str) -> str:
    return {"int": "rint()", "bool": "a comparison", "float": "f32()"}.get(kind, f"{kind}()")


def _word(node: ast.AST) -> str:
    """What a construct is called in an error."""
    words = {
        ast.Import: "import", ast.ImportFrom: "import", ast.Attribute: "an attribute", ast.While: "while",
        ast.FunctionDef: "def", ast.Lambda: "lambda", ast.Pow: "**", ast.FloorDiv: "//", ast.Mod: "%",
        ast.ListComp: "a comprehension", ast.JoinedStr: "an f-string", ast.List: "a list", ast.Tuple: "a tuple",
        ast.Dict: "a dict", ast.NamedExpr: ":=", ast.Starred: "*", ast.With: "with", ast.Try: "try",
        ast.Return: "return", ast.Delete: "del", ast.Global: "global", ast.ClassDef: "class", ast.Assert: "assert",
        ast.Raise: "raise", ast.Slice: "a slice", ast.Yield: "yield", ast.Await: "await",
    }  # fmt: skip
    return words.get(type(node), type(node).__name__)
