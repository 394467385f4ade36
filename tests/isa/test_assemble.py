"""The assembler: constants, symbols, layout, custom instructions, and its errors in full."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.isa.encoding import decode
from archsim.isa.load import load_isa
from archsim.isa.program import TEXT_BASE
from archsim.isa.spec import Isa

ISA = load_isa("rv64im", "zicsr", "zicntr", "xqt")


def words(source: str) -> list[int]:
    data = ISA.assemble(source).segments[0].data
    return [int.from_bytes(data[index : index + 4], "little") for index in range(0, len(data), 4)]


def wrap(value: int, bits: int = 64) -> int:
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def run_constants(source: str) -> tuple[int, int]:
    """x10 after lui, addi, addiw and slli on it, and their number: the definition of these four, once more."""
    value, code = 0x5555, words(source)
    for word in code:
        found = decode(ISA, word)
        assert found is not None
        name, operands = found[0].name, found[1]
        assert operands["xd"] == 10
        if name == "lui":
            value = wrap(operands["imm"] << 12, 32)
            continue
        start = value if operands["xs1"] == 10 else 0
        assert operands["xs1"] in (0, 10)
        if name == "slli":
            value = wrap(start << operands["shamt"])
        else:
            value = wrap(start + operands["imm"], 32 if name == "addiw" else 64)
    return value, len(code)


@given(st.integers(-(2**63), 2**64 - 1))
@example(2**63 - 1)
@example(-(2**63))
@example(2**31 - 1)
@example(2**31)
@example(0x7FFFF800)
@example(-(2**31) - 1)
@example(2**64 - 1)
@example(0)
def test_li_loads_any_constant(value: int) -> None:
    result, count = run_constants(f"li a0, {value}")
    assert result == wrap(value)
    assert count <= 8


@given(st.integers(-(2**31), 2**31 - 1))
def test_li_of_32_bits_takes_two_instructions_at_most(value: int) -> None:
    assert run_constants(f"li a0, {value}")[1] <= (1 if -2048 <= value < 2048 else 2)


def test_names_of_every_register_file(isa: Isa) -> None:
    assert decode(isa, words("qt.mma ac3, t0, t7")[0]) == (
        isa.instructions["qt.mma"], {"ad": 3, "ts1": 0, "ts2": 7}
    )  # fmt: skip
    assert decode(isa, words("qt.ld t6, t0, x31")[0]) == (isa.instructions["qt.ld"], {"td": 6, "xs1": 5, "xs2": 31})
    assert words("qt.bar.wait b5") == words(".4byte 0x0600400b | 5 << 7")
    assert words("csrw qvl, a0") == words("csrrw x0, 0x8C7, x10")


def test_layout_entry_symbols_and_lines() -> None:
    program = ISA.assemble(
        """.data
value: .dword 7
.bss
big: .zero 100
.text
first: nop
_start:
    la a0, value
.section .rodata
name: .asciz "hello"
""",
        "file.s",
    )
    assert program.name == "file.s"
    assert program.entry == program.symbols["_start"] == TEXT_BASE + 4
    text, rodata, data, bss = program.segments
    assert [segment.executable for segment in program.segments] == [True, False, False, False]
    assert (text.address, len(text.data)) == (TEXT_BASE, 12)
    assert (rodata.address, rodata.data) == (TEXT_BASE + 64, b"hello\0") and program.symbols["name"] == rodata.address
    assert (data.address, data.data) == (TEXT_BASE + 128, bytes([7, 0, 0, 0, 0, 0, 0, 0]))
    assert (bss.address, bss.data, bss.memory_size) == (TEXT_BASE + 192, b"", 100)
    assert program.symbols["big"] == bss.address
    assert program.lines == {
        TEXT_BASE: ("file.s", 6), TEXT_BASE + 4: ("file.s", 8), TEXT_BASE + 8: ("file.s", 8)
    }  # fmt: skip


def test_differences_of_labels_are_constants() -> None:
    source = '.data\nmsg: .ascii "twelve bytes"\n.equ size, . - msg\n.text\nf: nop; nop\ng: li a0, size\nli a1, g - f\n'
    assert words(source)[2:] == words("li a0, 12\nli a1, 8")


def test_a_pseudo_instruction_of_an_extension_that_is_not_loaded() -> None:
    with pytest.raises(InputError) as caught:
        load_isa("rv64i").assemble("csrr a0, 5")
    assert str(caught.value) == "<string>:1: csrr stands for csrrs, which is unknown; load the extension that has it"


def test_five_thousand_lines() -> None:
    source = "\n".join(
        ["1: addi a0, a0, 1", "lw a1, 8*2(a0)", "beq a0, a1, 1b", "qt.mma ac0, t1, t2", "csrw qvl, a0  # elements"]
        * 1000
    )
    words = np.frombuffer(ISA.assemble(source).segments[0].data, np.uint32).reshape(1000, 5)
    assert (words == words[0]).all()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nop\naddd a0, a0, a1", "f.s:2: unknown instruction 'addd'; did you mean 'add'?"),
        ("qt.nma ac0, t0, t1", "f.s:1: unknown instruction 'qt.nma'; did you mean 'qt.mma'?"),
        ("zzzzzzzz", "f.s:1: unknown instruction 'zzzzzzzz'; load the extension that has it"),
        ("addi a0, a0, 5000", "f.s:1: imm of addi is 5000; use -2048 to 2047"),
        ("\n\nadd a0, a1", "f.s:3: add takes 3 operands, not 2; write it as add xd, xs1, xs2"),
        ("ecall 1", "f.s:1: ecall takes 0 operands, not 1; write it as ecall"),
        ("qt.bar.wait", "f.s:1: qt.bar.wait takes 1 operand, not 0; write it as qt.bar.wait bd"),
        ("ret a0", "f.s:1: ret takes 0 operands, not 1; see the assembler's manual"),
        ("add a0, a1, a9", "f.s:1: 'a9' is no register of X; use zero to t6"),
        ("qt.mma ac0, t1, q", "f.s:1: 'q' is no register of t; use t0 to t7"),
        ("qt.mma ac4, t1, t2", "f.s:1: 'ac4' is no register of ac; did you mean 'ac3'?"),
        ("lw a0, a1", "f.s:1: 'a1' is no address; write it as imm(xs1)"),
        ("csrw qvll, a0", "f.s:1: unknown symbol 'qvll'; did you mean 'qvl'?"),
        ("loop: nop\nj lop", "f.s:2: unknown symbol 'lop'; did you mean 'loop'?"),
        ("j 1f", "f.s:1: unknown symbol '1f'; define it as a label or by .equ"),
        (
            "beq a0, a1, far\n.zero 5000\nfar: nop",
            "f.s:1: far is 5004 bytes away from beq; it reaches -4096 to 4094: branch the other way around a j, or use "
            "call or tail",
        ),
        ("beq a0, a1, 3", "f.s:1: imm of beq is 3; use -4096 to 4094 in steps of 2"),
        ("x: nop\nx: nop", "f.s:2: label 'x' is already there; rename one"),
        ("li a0, 1 << 64", "f.s:1: shift by 64; write a number, a constant, or an expression of them"),
        ("li a0, 0x10000000000000000", "f.s:1: 18446744073709551616 does not fit 64 bits; use -2**63 to 2**64 - 1"),
        ("x: li a0, x", "f.s:1: 'x' is an address, and not known yet; use la for addresses"),
        ("li a0, size", "f.s:1: 'size' is not known yet; define it before"),
        (".wrod 1", "f.s:1: unknown directive '.wrod'; did you mean '.word'?"),
        (".byte 256", "f.s:1: 256 does not fit 1 bytes; use -128 to 255"),
        (".align 99", "f.s:1: alignment 99; use 0 to 20, a power of two"),
        (".bss\n.word 1", "f.s:2: values in .bss; use .zero there, or .data"),
        (".zero -1", "f.s:1: -1 bytes; use 0 to 4294967296"),
        ('.asciz "a', "f.s:1: \"a is no string; write it in quotes: \"...\""),
        (".float x", "f.s:1: 'x' is no such floating-point number; write one, such as 1.5e-3"),
        ("addi a0, a0, (1", "f.s:1: a ')' is missing in '(1'; write a number, a symbol, or an expression of them"),
        ("addi a0, a0, 1 1", "f.s:1: '1' does not belong in '1 1'; write a number, a symbol, or an expression of them"),
        ("addi a0, a0, 7/0", "f.s:1: division by zero; write a number, a symbol, or an expression of them"),
        ("addi a0, a0, %low(4)", "f.s:1: unknown relocation %low; did you mean %lo?"),
        (
            "x: addi a0, a0, %pcrel_lo(x)",
            "f.s:1: there is no %pcrel_hi at x; name the label of the auipc, not of the data",
        ),
        (".section .txet", "f.s:1: unknown section '.txet'; did you mean '.text'?"),
        ("1x: nop", "f.s:1: '1x' is no label; start it with a letter, _ or ."),
    ],
)  # fmt: skip
def test_errors(source: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        ISA.assemble(source, "f.s")
    assert str(caught.value) == message


@given(st.text(max_size=60))
def test_any_text_assembles_or_is_refused_with_its_line(text: str) -> None:
    try:
        ISA.assemble(f"nop\n{text}", "f.s")
    except InputError as error:
        assert str(error).startswith("f.s:")


_PIECES = st.sampled_from(
    ["addi", "li", "la", "a0", "t1", ",", "(", ")", "x", "x:", "1:", "1b", "1f", ".word", ".zero", ".equ", ".align",
     ".string", '"', "'", "\\", "%hi", "%pcrel_lo", "-", "~", "<<", "/", "0", "9", "0x1", "08", ";", "#", "\n", ".data",
     ".bss", ".set", ".", "jalr", "lw", "sd", "csrw", "fence", "qt.mma", "beq", ".comm", ".section"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=14))
def test_any_pieces_assemble_or_are_refused_with_their_line(pieces: list[str]) -> None:
    try:
        ISA.assemble(" ".join(pieces), "f.s")
    except InputError as error:
        assert error.line is not None and error.remedy
