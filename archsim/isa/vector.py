"""Vector instructions lowered for one element width.

An operation says what happens to element ``i``; masking, tail, vstart, register groups and their legality are the
engine's (V 1.0, sections 3.4 and 5). Lowered text is specialised for one SEW; LMUL, vl and the mask are run-time
values. Tail and inactive elements stay undisturbed, which both policies allow.
"""

from __future__ import annotations

import ast

from archsim.isa.constants import constant
from archsim.isa.lower import Lowering
from archsim.isa.operation import check_expression, check_operation
from archsim.isa.operation_expressions import Operation
from archsim.isa.spec import Instruction, Isa, State, Variable

VECTOR_FILE = "V"
_LIMIT_REGISTERS = 32


def element_bits(variable: Variable, sew: int) -> int:
    """Bits of an operand's elements at an element width; 1 for a mask.

    Raises:
        InputError: its `eew` is no constant.
    """
    return constant(variable.eew or "SEW", {"SEW": sew}, file=None, line=None)


def _per_register(bits: int) -> str:
    """Text for the elements that a register holds."""
    return f"(VLENB >> {bits.bit_length() - 4})" if bits >= 8 else "(VLENB << 3)"


def specialised(isa: Isa, instruction: Instruction, sew: int) -> tuple[Operation, dict[str, int]]:
    """The checked operation of a vector instruction at an element width, and the parameters it was checked with."""
    parameters = {**isa.parameters, "SEW": sew}
    return check_operation(instruction, isa.state_of(instruction), parameters), parameters


class VectorLowering(Lowering):
    """Source of a vector instruction's function for one element width."""

    def __init__(
        self, instruction: Instruction, operation: Operation, state: dict[str, State], parameters: dict[str, int]
    ) -> None:
        super().__init__(instruction, operation, state, parameters)
        assert instruction.vector is not None
        self.facts = instruction.vector
        self.sew = parameters["SEW"]
        self.vectors = [v for v in instruction.variables if v.register == VECTOR_FILE]
        self.bits = {v.name: element_bits(v, self.sew) for v in self.vectors}
        self.masked = any(v.name == "vm" for v in instruction.variables)
        self.writes = [a.variable for a in operation.writes if a.register_file == VECTOR_FILE]
        self.reads = [a.variable for a in operation.reads if a.register_file == VECTOR_FILE]
        self.floats = "rounding" in operation.calls
        self.hoisted: dict[str, str] = {}
        self.fast = False
        self.uses_mask = self.masked or bool({"mask_bit", "active"} & operation.calls)
        self.rows = [
            (int(operation.constants[id(call.args[0])]), call)
            for statement in operation.body
            for call in ast.walk(statement)
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("load_row", "store_row")
        ]
        assigned = {
            target.id
            for statement in operation.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self.assigned = assigned
        if self.facts.count:
            self.counted = check_expression(self.facts.count, instruction.line, instruction, state, parameters)

    # -- the function

    def source(self) -> list[str]:
        """Statements of ``operation(ctx, w, imm)``, without its first lines (x is defined)."""
        body = self._loops() if self.facts.loop else self._plain()
        lines = [
            "csr = pointer_int64(ctx[CSR])",
            "VLENB = csr[VLENB_CSR]",
            "vl = csr[VL_CSR]",
            "start = csr[VSTART_CSR]",
            "lmul = ctx[LMUL_LOG2]",
            "registers = ctx[STATE] + OFFSET_V",
            *self._slots(),
        ]
        bad = self._illegal()
        if bad:
            lines += [f"if {' or '.join(bad)}:", "    ctx[TRAP] = ILLEGAL", "    return 0"]
        if self.facts.count:
            lines += self._counted()
        lines += self._pointers()
        lines += [f"{name} = {text}" for text, name in self.hoisted.items()]
        lines += body
        if any(name.startswith(("sat_", "frac_", "narrow_clip")) for name in self.operation.calls):
            lines += ["keep_saturation(ctx)"]
        return [*lines, "csr[VSTART_CSR] = 0"]

    def _counted(self) -> list[str]:
        """Let vl be the number of elements asked for, as far as registers reach."""
        saved, self.operation = self.operation, self.counted
        text = self.expression()
        self.operation = saved
        lines = [f"vl = {text}"]
        for variable in self.vectors:
            most = f"({_LIMIT_REGISTERS} - r_{variable.name}) * {_per_register(self.bits[variable.name])}"
            lines.append(f"vl = min(vl, {most})")
        return lines

    def _slots(self) -> list[str]:
        lines = []
        for variable in self.instruction.variables:
            if variable.name in self.slots.slot:
                lines.append(f"r_{variable.name} = {self._slot_text(variable.name)}")
            elif variable.name == self.slots.immediate:
                lines.append(f"r_{variable.name} = imm")
        lines.append("vm = r_vm" if self.masked else "vm = np.int64(1)")
        return lines

    def _slot_text(self, name: str) -> str:
        return f"((w >> {16 + 8 * self.slots.slot[name]}) & 255)"

    def _emul(self, name: str) -> str:
        """log2 of the registers that an operand's group has, as text; negative for parts of one."""
        variable = self.instruction.variable(name)
        if variable.group:
            return f"np.int64({int(variable.group).bit_length() - 1})"
        shift = self.bits[name].bit_length() - self.sew.bit_length()
        return f"(lmul + {shift})"

    def _single(self, name: str) -> bool:
        return self.bits[name] == 1 or self.instruction.variable(name).group == "1"

    def _fields(self, name: str) -> int:
        return self.instruction.variable(name).fields

    def _illegal(self) -> list[str]:
        """Conditions under which the instruction is reserved (V 1.0, sections 5.2 and 5.3)."""
        bad = []
        for variable in self.vectors:
            name = variable.name
            if not self._single(name):
                bad.append(f"bad_group(r_{name}, {self._emul(name)}, np.int64({self._fields(name)}))")
        if not self.facts.restarts:
            bad.append("start != 0")
        for target in self.writes:
            if self.masked and (not self._single(target) or "v0" in self.facts.disjoint):
                bad.append(f"(vm == 0 and r_{target} == 0)")
            elif "mask_bit" in self.operation.calls and self.bits[target] != 1:
                bad.append(f"r_{target} == 0")
            for source in self.reads:
                if source == target:
                    continue
                bad += self._overlap(target, source)
        return bad

    def _overlap(self, target: str, source: str) -> list[str]:
        a, b = f"r_{target}, {self._registers(target)}", f"r_{source}, {self._registers(source)}"
        if source in self.facts.disjoint:
            return [f"overlaps({a}, {b})"]
        wide, narrow = self.bits[target], self.bits[source]
        if wide == narrow or (self._single(target) and wide != 1):
            return []
        if wide > narrow and narrow != 1:
            return [f"bad_widening({a}, {b}, {self._emul(source)})"]
        if wide < narrow:
            return [f"(r_{target} != r_{source} and overlaps({a}, {b}))"]
        return []

    def _registers(self, name: str) -> str:
        if self._single(name):
            return "np.int64(1)"
        return f"(registers_of({self._emul(name)}) * {self._fields(name)})"

    def _pointers(self) -> list[str]:
        lines = []
        for index, variable in enumerate(self.vectors):
            name = variable.name
            if name not in self.writes and name not in self.reads:
                continue
            kind = self._kind(name)
            lines.append(f"p_{name} = pointer_{kind}(registers + r_{name} * VLENB)")
            copied = self.facts.loop and name in self.reads and name not in self.writes and self.bits[name] != 1
            for target in self.writes if copied else []:
                # a source that is written over is read from a copy, so that loops can be vectorised
                a, b = f"r_{target}, {self._registers(target)}", f"r_{name}, {self._registers(name)}"
                lines += [
                    f"if overlaps({a}, {b}):",
                    f"    p_{name} = pointer_{kind}(copy_of(ctx, registers + r_{name} * VLENB, "
                    f"{self._registers(name)} * VLENB, {index} * 8 * VLENB))",
                ]
        if self.uses_mask:
            lines.append("p_mask = pointer_uint8(registers)")
        return lines

    def _kind(self, name: str) -> str:
        bits = self.bits[name]
        return "uint8" if bits == 1 else f"int{bits}"

    def _plain(self) -> list[str]:
        return self.statements()

    def _loops(self) -> list[str]:
        touches = bool({"load", "store", "load_row", "store_row"} & self.operation.calls)
        lines: list[str] = []
        fast = ["vm != 0"]
        if self.floats:
            lines.append("rm = rounding(ctx, np.int64(7))")
            lines += ["if ctx[TRAP] != 0:", "    return 0"]
            fast.append("rm == 0")
        for index, (bits, call) in enumerate(self.rows):
            base = self.expr(call.args[1])
            which = "row_to_store" if getattr(call.func, "id", "") == "store_row" else "row_to_load"
            lines.append(f"row{index} = {which}(ctx, {base}, start, vl, np.int64({bits // 8}))")
            fast.append(f"row{index} != 0")
        quick = [] if touches and not self.rows else self._round(fast=True)
        slow = self._round(fast=False)
        if touches:
            slow = [*slow, "if ctx[TRAP] != 0:", "    csr[VSTART_CSR] = i", "    return 0"]
        general = ["for i in range(start, vl):"]
        if self.masked:
            general += ["    if vm != 0 or get_bit(p_mask, i) != 0:", *("        " + line for line in slow)]
        else:
            general += ["    " + line for line in slow]
        if not quick or (len(fast) == 1 and not self.masked):
            return lines + general
        return [
            *lines,
            f"if {' and '.join(fast)}:",
            *(["    invalid = np.int64(0)"] if "fma" in self.operation.calls else []),
            "    for i in range(start, vl):",
            *("        " + line for line in quick),
            *(["    raise_invalid(ctx, invalid)"] if "fma" in self.operation.calls else []),
            "else:",
            *("    " + line for line in general),
        ]

    def _round(self, *, fast: bool) -> list[str]:
        """Statements for one element."""
        self.lines, self.fast, self.near = [], fast, fast
        self.block(self.operation.body)
        lines, self.lines, self.fast, self.near = self.lines, [], False, False
        return lines

    # -- expressions that differ from scalar ones

    def name(self, name: str) -> str:
        if name == "i" and self.facts.loop:
            return "i"
        if name == "vl" and name not in self.assigned:
            return "vl"
        if name == "vstart":
            return "start"
        if name == "vlmax":
            return f"elements_of(lmul, {_per_register(self.sew)})"
        if name in self.slots.slot or name == self.slots.immediate:
            return f"r_{name}" if self.instruction.variable(name).register != "X" else f"(r_{name} & 31)"
        text = super().name(name)
        if "csr_value" in text and name not in self.assigned:
            return self._hoist(text, f"c_{name}")
        return text

    def _hoist(self, text: str, name: str) -> str:
        return self.hoisted.setdefault(text, name)

    def state_read(self, node: ast.Subscript) -> str:
        owner, operand = self._operand(node)
        if owner == VECTOR_FILE:
            return self._element(node, operand)
        if owner not in ("X", "F"):
            return super().state_read(node)
        if any(access.variable == operand for access in self.operation.writes):
            return super().state_read(node)
        return self._hoist(super().state_read(node), f"h_{operand}")

    def _operand(self, node: ast.Subscript) -> tuple[str, str]:
        assert isinstance(node.value, ast.Name)
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        assert isinstance(first, ast.Name)
        return node.value.id, first.id

    def _index(self, node: ast.Subscript, operand: str) -> str:
        assert isinstance(node.slice, ast.Tuple)
        text = self.expr(node.slice.elts[1])
        if id(node) in self.operation.safe:
            return text
        most = f"({_LIMIT_REGISTERS} - r_{operand}) * {_per_register(self.bits[operand])}"
        return f"inside(ctx, {text}, {most})"

    def _element(self, node: ast.Subscript, operand: str) -> str:
        index = self._index(node, operand)
        if self.bits[operand] == 1:
            return f"get_bit(p_{operand}, {index})"
        return f"np.int64(p_{operand}[{index}])"

    def state_write(self, node: ast.Subscript, text: str) -> None:
        owner, operand = self._operand(node)
        if owner != VECTOR_FILE:
            super().state_write(node, text)
            return
        index = self._index(node, operand)
        if self.bits[operand] == 1:
            self.emit(f"put_bit(p_{operand}, {index}, np.int64({text}))")
        else:
            self.emit(f"p_{operand}[{index}] = np.int{self.bits[operand]}({text})")

    def call(self, node: ast.Call) -> str:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "rounding" and self.facts.loop and self.floats:
            return "np.int64(0)" if self.near else "rm"
        if name == "active":
            return f"(vm | get_bit(p_mask, {self.expr(node.args[0])}))" if self.masked else "np.int64(1)"
        if name == "mask_bit":
            return f"get_bit(p_mask, {self.expr(node.args[0])})"
        if name == "span":
            assert isinstance(node.args[0], ast.Name)
            operand = node.args[0].id
            return f"elements_of(max({self._emul(operand)}, 0), {_per_register(self.bits[operand])})"
        if name == "load_row":
            bits = self.operation.constants[id(node.args[0])]
            base, index = self.expr(node.args[1]), self.expr(node.args[2])
            if self.fast:
                row = next(k for k, (_, call) in enumerate(self.rows) if call is node)
                return f"np.int64(pointer_int{bits}(row{row})[{index}])"
            return self.load(f"load_i{bits}", f"wrap_add({base}, {index} * {bits // 8})")
        if name == "fma" and self.fast and self.operation.constants[id(node.args[0])] in (32, 64):
            bits = self.operation.constants[id(node.args[0])]
            a, b, c = (self.temporary(self.expr(argument)) for argument in node.args[1:4])
            self.emit(f"invalid |= infinity_times_zero_{bits}({a}, {b})")
            return f"fused_{bits}({a}, {b}, {c})"
        return super().call(node)

    def call_statement(self, call: ast.Call) -> None:
        assert isinstance(call.func, ast.Name)
        if call.func.id == "store_row":
            bits = self.operation.constants[id(call.args[0])]
            base, index, value = (self.expr(argument) for argument in call.args[1:])
            if self.fast:
                row = next(k for k, (_, own) in enumerate(self.rows) if own is call)
                self.emit(f"pointer_int{bits}(row{row})[{index}] = np.int{bits}({value})")
            else:
                self.store(f"store_{bits}", [f"wrap_add({base}, {index} * {bits // 8})", value])
            return
        super().call_statement(call)
