"""Expressions of operations, checked: names, types, and bounds of what they may be."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import NoReturn

from archsim.common.errors import InputError, nearest
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.functions import FUNCTIONS, VECTOR_FUNCTIONS
from archsim.isa.intervals import ANY, Interval, binary_interval, call_interval, fitted
from archsim.isa.register_shapes import group_size, operand_shape, types_of
from archsim.isa.spec import Instruction, State, Text, Variable

COUNTERS = ("pc", "next_pc")
_BINARY = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


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
        offsets: id(subscript) -> which register of an operand's group it names, where that is not the first.
    """

    body: list[ast.stmt]
    types: dict[int, str] = field(default_factory=dict)
    safe: set[int] = field(default_factory=set)
    reads: list[Access] = field(default_factory=list)
    writes: list[Access] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    constants: dict[int, int] = field(default_factory=dict)
    offsets: dict[int, ast.expr] = field(default_factory=dict)


def csr_fields(state: dict[str, State]) -> dict[str, tuple[State, int, int]]:
    """Names such as qfmt_wfmt -> (CSR, least significant bit, width)."""
    return {
        f"{csr.name}_{name}": (csr, low, width)
        for csr in state.values()
        if csr.kind == "csr"
        for name, (low, width, _) in csr.fields.items()
    }


class ExpressionChecker:
    """Checks expressions of one operation; what it finds gathers in `result`."""

    def __init__(
        self, instruction: Instruction, state: dict[str, State], parameters: dict[str, int], text: Text
    ) -> None:
        self.instruction, self.state, self.parameters, self.text = instruction, state, parameters, text
        self.fields = csr_fields(state)
        self.operands = {variable.name: variable for variable in instruction.variables}
        self.intervals: dict[str, Interval] = {}
        self.conditional = 0
        self.result = Operation([])
        # CSRs that views in use depend on, and those that are assigned
        self.selectors: set[str] = set()
        self.assigned: set[str] = set()
        # rounds that the loops around a statement make together
        self.rounds_in_all = 1
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

    def want(self, node: ast.expr, kind: str) -> None:
        found = self.expr(node)
        if found == kind or {found, kind} == {"int", "bool"}:
            return
        if kind == "float" and found in ("f32", "f64"):
            return
        self.fail(node, f"{ast.unparse(node)} is {found}, not {kind}", f"convert it with {convert(kind)}")

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
            f"{word(node)} is not allowed",
            "allowed are numbers, operands, state, + - * & | ^ ~ << >>, comparisons and the listed functions",
        )

    def name(self, node: ast.Name) -> str:
        name = node.id
        if name in self.result.variables:
            return self.result.variables[name]
        if name in self.operands or name in self.parameters or name in self.fields or name in COUNTERS:
            return "int"
        if name == "vlmax" and self.instruction.vector is not None:
            return "int"
        if name in self.state:
            if self.state[name].kind == "csr":
                return "int"
            self.fail(node, f"{name} is a register file", f"index it, as in {name}[operand]")
        known = {*self.result.variables, *self.operands, *self.parameters, *self.fields, *self.state, *COUNTERS}
        near = nearest(name, known)
        self.fail(
            node,
            f"unknown name {name!r}",
            f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}",
        )

    def binary(self, node: ast.BinOp) -> str:
        symbol = _BINARY.get(type(node.op))
        if symbol is None:
            self.fail(node, f"operator {word(node.op)} is not allowed", f"allowed: {' '.join(_BINARY.values())}")
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
            self.fail(node, f"{word(node.func)} is not allowed", "call one of the listed functions")
        name = node.func.id
        if name not in FUNCTIONS:
            near = nearest(name, FUNCTIONS)
            self.fail(
                node,
                f"unknown function {name!r}",
                f"did you mean {near!r}?" if near else f"allowed: {', '.join(FUNCTIONS)}",
            )
        if name in VECTOR_FUNCTIONS and self.instruction.vector is None:
            self.fail(node, f"{name}() outside a vector instruction", "add 'vector:', or leave it out")
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

    def state_access(self, node: ast.Subscript, into: list[Access]) -> str:
        if not isinstance(node.value, ast.Name) or node.value.id not in self.state:
            known = [name for name, state in self.state.items() if state.kind != "csr"]
            self.fail(node, f"{ast.unparse(node.value)}[...] is not declared state", f"declared: {', '.join(known)}")
        state = self.state[node.value.id]
        if state.kind == "csr":
            self.fail(node, f"{state.name} is a CSR", "use it by its name alone")
        indices = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        if state.kind == "scratch":
            if len(indices) != len(state.shape):
                self.fail(node, f"{state.name} takes {len(state.shape)} indices", "count them")
            self.elements(node, state, indices, state.shape)
            return state.value
        owner = self.state[state.of] if state.of else state
        variable = self.register(node, indices[0], owner)
        shape = operand_shape(state, owner, self.instruction, variable)
        if len(indices) != 1 + len(shape):
            self.fail(node, f"{state.name} takes {1 + len(shape)} indices", f"write {state.name}[operand, ...]")
        self.elements(node, state, indices[1:], shape)
        if state.select:
            self.selectors.add(state.select.partition(".")[0])
        access = Access(owner.name, variable.name)
        if access not in into:
            into.append(access)
        return state.value

    def register(self, node: ast.Subscript, index: ast.expr, owner: State) -> Variable:
        """The operand that selects a register: by its name, or as NAME + offset in its group."""
        operand = index
        if isinstance(index, ast.BinOp) and isinstance(index.op, ast.Add):
            operand = index.left
            self.want(index.right, "int")
            self.result.offsets[id(node)] = index.right
        if not (isinstance(operand, ast.Name) and operand.id in self.operands):
            self.fail(
                node,
                f"the register of {owner.name} must be an operand",
                "index it by an operand variable, or it + number",
            )
        variable = self.operands[operand.id]
        if variable.register != owner.name:
            found = f"selects from {variable.register}" if variable.register else "is an immediate"
            self.fail(node, f"operand {operand.id} {found}, not {owner.name}", "use an operand of that file")
        self.result.types[id(operand)] = "int"
        if operand is not index:
            size = group_size(self.instruction, variable)
            low, high = self.interval(self.result.offsets[id(node)])
            if low < 0 or high >= size:
                self.fail(
                    index, f"{ast.unparse(index)} may lie outside the group of {size}", "bound it, or widen 'group:'"
                )
        return variable

    def elements(self, node: ast.Subscript, state: State, indices: list[ast.expr], shape: tuple[int, ...]) -> None:
        """Check indices of elements, and note whether they are proven to lie inside."""
        inside = True
        for index, size in zip(indices, shape, strict=True):
            self.want(index, "int")
            low, high = self.interval(index)
            inside = inside and low >= 0 and high < size
            if low >= size or high < 0:
                self.fail(
                    index, f"index {ast.unparse(index)} of {state.name} is beyond its {size} elements", "bound it"
                )
        if state.vector:
            inside = isinstance(indices[0], ast.Name) and indices[0].id in self.rounds
        if inside:
            self.result.safe.add(id(node))

    # -- intervals

    def constant(self, node: ast.expr) -> int:
        low, high = self.interval(node)
        return low if low == high else 0

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
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in self.state:
            return self.element_interval(self.state[node.value.id])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            bounds = [self.interval(argument) for argument in node.args]
            return call_interval(node.func.id, bounds)
        return ANY

    def element_interval(self, state: State) -> Interval:
        """Bounds of what a register element holds, for integers narrower than 64 bits."""
        types = [ELEMENT_TYPES[kind] for kind in types_of(state) if kind is not None]
        if state.vector or any(one.value != "int" or one.bits > 32 for one in types):
            return ANY
        unsigned = all((kind or "uint").startswith("uint") for kind in types_of(state))
        bits = max(one.bits for one in types)
        return (0, 2**bits - 1) if unsigned else (-(2**bits), 2**bits - 1)

    def name_interval(self, name: str) -> Interval:
        if name in self.intervals:
            return self.intervals[name]
        if name in self.parameters:
            return self.parameters[name], self.parameters[name]
        if name in self.operands and self.operands[name].register:
            return 0, (2 ** self.operands[name].width << self.operands[name].left_shift) - 1
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


def convert(kind: str) -> str:
    return {"int": "rint()", "bool": "a comparison", "float": "f32()"}.get(kind, f"{kind}()")


def word(node: ast.AST) -> str:
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
