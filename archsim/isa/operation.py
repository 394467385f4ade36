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

from archsim.common.errors import InputError
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.functions import FUNCTIONS
from archsim.isa.intervals import ANY, Interval
from archsim.isa.operation_expressions import COUNTERS, ExpressionChecker, Operation, convert, word
from archsim.isa.register_shapes import types_of
from archsim.isa.spec import Instruction, State, Text

LOOP_LIMIT = 1 << 28
"""Largest number of rounds that one loop may be bounded by."""
ROUNDS_LIMIT = 1 << 40
"""Largest number of rounds of loops inside each other, by their bounds."""
LONGEST, DEEPEST = 1 << 16, 100
"""Characters of an operation, and levels of its syntax tree."""


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


class _Checker(ExpressionChecker):
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
                    f"{word(statement)} is not allowed",
                    "allowed are assignments, if, for ... in range(...), and calls of the listed functions",
                )

    def assign(self, target: ast.expr, value: ast.expr, statement: ast.stmt) -> None:
        kind = self.expr(value)
        if isinstance(target, ast.Name):
            self.assign_name(target, value, kind)
        elif isinstance(target, ast.Subscript):
            self.store_state(target, value, kind)
        else:
            self.fail(statement, f"assignment to {word(target)}", "assign to a name or to declared state")

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
        if name in FUNCTIONS or name in (*COUNTERS, "range", "X") or name.startswith("_"):
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
            self.fail(statement, f"assignment to {word(target)}", "assign to a name or to declared state")
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

    def store_state(self, target: ast.Subscript, value: ast.expr, kind: str) -> None:
        declared = self.state_access(target, self.result.writes)
        self.result.types[id(target)] = declared
        assert isinstance(target.value, ast.Name)
        for name in types_of(self.state[target.value.id]):
            if name is not None and not ELEMENT_TYPES[name].writable:
                self.fail(target, f"{name} cannot be written", "write its bits through a view of integers")
        if declared != kind and {declared, kind} != {"int", "bool"}:
            self.fail(value, f"the value is {kind}, the register holds {declared}", f"use {convert(declared)}")


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
