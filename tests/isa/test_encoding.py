"""Encoding and decoding are inverse, for every instruction that ships, and no word has two meanings."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.isa.encoding import decode, encode, operand_range, overlaps
from archsim.isa.load import load_isa
from archsim.isa.spec import Instruction, Isa, Variable

SHIPPED = "gcv_zfh_zicntr_zcb_zba_zbb_zbc_zbs_zbkb_zbkx_zicond_zacas_zabha_zawrs_zihintpause_zicbom_zicbop_zicboz"
ISA = load_isa(f"rv64{SHIPPED}", "xqt")
ISA_32 = load_isa(f"rv32{SHIPPED}")


def values(variable: Variable) -> st.SearchStrategy[int]:
    low, high, step = operand_range(variable)
    fields = st.integers(0, (high - low) // step).map(lambda field: low + field * step)
    return fields.filter(lambda value: value not in variable.forbidden)


@st.composite
def words(draw: Any) -> tuple[Instruction, dict[str, int]]:
    instruction = draw(st.sampled_from(list(ISA.instructions.values())))
    return instruction, {variable.name: draw(values(variable)) for variable in instruction.variables}


@given(words())
@settings(max_examples=500, deadline=None)
def test_decode_gives_back_what_was_encoded(case: tuple[Instruction, dict[str, int]]) -> None:
    instruction, operands = case
    found = decode(ISA, encode(instruction, operands))
    assert found == (instruction, operands) or (found is not None and instruction.name in found[0].within)


def allowed(variable: Variable) -> list[int]:
    """Smallest and largest value that a variable may have."""
    low, high, step = operand_range(variable)
    while low in variable.forbidden:
        low += step
    while high in variable.forbidden:
        high -= step
    return [low, high]


@pytest.mark.parametrize("isa", [ISA, ISA_32], ids=["RV64", "RV32"])
def test_extremes_of_every_operand(isa: Isa) -> None:
    for instruction in isa.instructions.values():
        ends = {variable.name: allowed(variable) for variable in instruction.variables}
        for end in (0, 1):
            operands = {key: bounds[end] for key, bounds in ends.items()}
            found = decode(isa, encode(instruction, operands))
            assert found is not None
            # zeros may be a case of it: pause is one of fence
            assert found == (instruction, operands) or instruction.name in found[0].within
        for variable in instruction.variables:
            low, high, step = operand_range(variable)
            for outside in (low - step, high + step, *variable.forbidden, *([low + 1] if step > 1 else [])):
                with pytest.raises(InputError):
                    encode(instruction, {key: bounds[0] for key, bounds in ends.items()} | {variable.name: outside})


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=500, deadline=None)
def test_any_word_is_nothing_or_encodes_back(word: int) -> None:
    found = decode(ISA, word | 3)
    if found is not None:
        assert encode(*found) == word | 3


@given(words())
@settings(max_examples=500, deadline=None)
def test_disassembly_assembles_to_the_same_word(case: tuple[Instruction, dict[str, int]]) -> None:
    word = encode(*case)
    data = ISA.assemble(ISA.disassemble(word)).segments[0].data
    assert int.from_bytes(data, "little") == word
    assert ISA.assemble(ISA.disassemble(word, 0x20000)).segments[0].data == data


def test_what_is_no_instruction_disassembles_to_data() -> None:
    assert ISA.disassemble(0xFFFFFFFF) == ".4byte 0xffffffff"
    assert ISA.disassemble(0) == ".2byte 0x0000"
    assert ISA.disassemble(0x12340000) == ".4byte 0x12340000"


def test_jumps_name_their_target() -> None:
    assert ISA.disassemble(0xFE0510E3, 0x10020) == "bne a0, zero, .-32  # 0x10000"
    assert ISA.disassemble(0xFE0510E3) == "bne a0, zero, .-32"


@pytest.mark.parametrize("isa", [ISA, ISA_32], ids=["RV64", "RV32"])
def test_no_two_patterns_overlap(isa: Isa) -> None:
    assert overlaps(list(isa.instructions.values())) == []


def make(match: str, *variables: Variable) -> Instruction:
    add = ISA.instructions["add"]
    return Instruction(
        f"i{match}", "", "", match, variables, "", "alu", add.operation, {}, (), add.file, 1
    )  # fmt: skip


@given(st.lists(st.text("01-", min_size=16, max_size=16), min_size=2, max_size=9))
@settings(deadline=None)
def test_overlap_is_the_existence_of_a_common_word(patterns: list[str]) -> None:
    """Brute force over the bits: two patterns overlap unless some bit is 0 in one and 1 in the other."""
    made = [make(pattern) for pattern in patterns]
    expected = [
        (one, two)
        for one, two in combinations(made, 2)
        if not any({a, b} == {"0", "1"} for a, b in zip(one.match, two.match, strict=True))
    ]
    assert [(id(one), id(two)) for one, two in overlaps(made)] == [(id(one), id(two)) for one, two in expected]


def test_forbidden_values_separate_patterns() -> None:
    rd = Variable("rd", (11, 10, 9, 8, 7), forbidden=frozenset({0}))
    add, nop = make("0000-----0000001", rd), make("0000000000000001")
    assert overlaps([add, nop]) == []
    assert overlaps([make("0000-----0000001", Variable("rd", rd.bits)), nop]) != []


def test_messages() -> None:
    add, beq = ISA.instructions["add"], ISA.instructions["beq"]
    for operands, instruction, message in [
        ({"xd": 1, "xs1": 2}, add, "add has no xs2; give every operand"),
        ({"xd": 1, "xs1": 2, "xs3": 3}, add, "add has no xs2; give every operand"),
        ({"xd": 1, "xs1": 2, "xs2": 3, "xs3": 1}, add, "unknown operand of add 'xs3'; did you mean 'xs2'?"),
        ({"xd": 32, "xs1": 2, "xs2": 3}, add, "xd of add is 32; use 0 to 31"),
        ({"xs1": 1, "xs2": 2, "imm": 3}, beq, "imm of beq is 3; use -4096 to 4094 in steps of 2"),
    ]:
        with pytest.raises(InputError) as caught:
            encode(instruction, operands)
        assert str(caught.value).startswith(message)
