"""The operation language: what an instruction means, parsed, whitelisted and typed.

An ISA file comes from strangers. Its operations can compute on the declared state and on simulated memory, and can do
nothing else: no attribute, import, call or subscript outside the lists below, and every loop has a known bound.

Values are ``int`` (64-bit two's complement, wraps), ``f32`` and ``f64``; ``bool`` is the result of comparisons and may
stand where an int is expected. Integers and floats never mix silently.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from archsim.common.errors import InputError, nearest
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.functions import FUNCTIONS, VECTOR_FUNCTIONS
from archsim.isa.intervals import ANY, Interval, binary_interval, call_interval, fitted
from archsim.isa.spec import Instruction, State, Text, Variable

LOOP_LIMIT = 1 << 28
"""Largest number of rounds that one loop may be bounded by."""
ROUNDS_LIMIT = 1 << 40
"""Largest number of rounds of loops inside each other, by their bounds."""
LONGEST, DEEPEST = 1 << 16, 100
"""Characters of an operation, and levels of its syntax tree."""

_COUNTERS = ("pc", "next_pc")
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

    def parse(self) -> ast.Module:
        try:
            if len(self.text.source) > LONGEST:
                raise ValueError(f"is longer than {LONGEST} characters")
            with warnings.catch_warnings():
                # Python's advice on its own syntax is not for authors of operations
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text.source)
            if _is_deep(tree):
                raise ValueError(f"is nested more than {DEEPEST} deep")
            return tree
        except (RecursionError, MemoryError):
            self.fail(None, f"is nested more than {DEEPEST} deep", "take it apart")
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
        for name in self.selectors & self.assigned:
            self.fail(
                None, f"assigns {name}, which says what type its elements have", "assign it in another instruction"
            )
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
            self.assigned.add(name)
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
        for target in _assigned(statement.body):
            if target in self.intervals and target != name:
                self.intervals[target] = ANY
        rounds, self.rounds_in_all = self.rounds_in_all, self.rounds_in_all * max(high - low + 1, 1)
        if self.rounds_in_all > ROUNDS_LIMIT:
            self.fail(
                call,
                f"loops inside each other may make {self.rounds_in_all} rounds",
                f"bound them so that it is {ROUNDS_LIMIT} at most",
            )
        self.block(statement.body)
        self.rounds_in_all = rounds

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

    def store_state(self, target: ast.Subscript, value: ast.expr, kind: str) -> None:
        declared = self.state_access(target, self.result.writes)
        self.result.types[id(target)] = declared
        assert isinstance(target.value, ast.Name)
        for name in types_of(self.state[target.value.id]):
            if name is not None and not ELEMENT_TYPES[name].writable:
                self.fail(target, f"{name} cannot be written", "write its bits through a view of integers")
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


def _is_deep(tree: ast.AST) -> bool:
    """Whether a syntax tree has more than DEEPEST levels; found without recursion."""
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


def _assigned(body: list[ast.stmt]) -> Iterator[str]:
    """Names that statements assign, those inside them included."""
    for statement in body:
        if isinstance(statement, (ast.Assign, ast.AugAssign)):
            for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                if isinstance(target, ast.Name):
                    yield target.id
        elif isinstance(statement, (ast.For, ast.If)):
            yield from _assigned([*statement.body, *statement.orelse])


def types_of(state: State) -> tuple[str | None, ...]:
    """Element types that a register file or view may have: one, or those that a CSR selects."""
    return state.types or (state.type,)


def row_bytes(owner: State) -> int:
    """Bytes of the last dimension of a register (of the register, if it has none)."""
    last = owner.shape[-1] if owner.shape else 1
    return last * ELEMENT_TYPES[owner.type].bits // 8


def view_shape(state: State, owner: State) -> tuple[int, ...]:
    """Shape of one register seen through a view: the last dimension scales with the width of the (widest) element."""
    if state is owner or not owner.shape:
        return owner.shape
    counts = [ELEMENT_TYPES[kind].count(row_bytes(owner)) for kind in types_of(state) if kind is not None]
    return (*owner.shape[:-1], min(counts))


def group_size(instruction: Instruction, variable: Variable) -> int:
    """Registers that an operand spans, outside vector instructions (there vtype says it)."""
    return int(variable.group) if variable.group and instruction.vector is None else 1


def operand_shape(state: State, owner: State, instruction: Instruction, variable: Variable) -> tuple[int, ...]:
    """Shape of an operand: that of a register, and of a whole group where registers have one dimension."""
    shape = view_shape(state, owner)
    return (shape[0] * group_size(instruction, variable),) if len(shape) == 1 else shape


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
