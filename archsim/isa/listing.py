"""A program's instructions as a listing in the syntax of GNU objdump (``objdump -d -M no-aliases``)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from archsim.isa.disassemble import disassemble
from archsim.isa.program import CodeSection, Program
from archsim.isa.spec import Isa

_DISTANCE = re.compile(r"\.([+-]\d+)")


def listing(isa: Isa, program: Program) -> Iterator[str]:
    """Lines of the listing: sections, symbols, and per instruction its address, word, mnemonic and operands."""
    width = program.xlen // 4
    names: dict[int, str] = {}
    for address, name in program.named_addresses:
        names.setdefault(address, name)
    addresses = sorted(names)

    def place(address: int) -> str:
        index = bisect_right(addresses, address) - 1
        if index < 0:
            return f"{address:x}"
        distance = address - addresses[index]
        return f"{address:x} <{names[addresses[index]]}{f'+{distance:#x}' if distance else ''}>"

    for section in program.code_sections:
        yield ""
        yield ""
        yield f"Disassembly of section {section.name}:"
        data = _bytes(program, section)
        position = 0
        while position + 2 <= len(data):
            address = section.address + position
            if address in names or position == 0:
                yield ""
                if address in names:
                    yield f"{address:0{width}x} <{names[address]}>:"
            size = 4 if data[position] & 3 == 3 and position + 4 <= len(data) else 2
            word = int.from_bytes(data[position : position + size], "little")
            text = disassemble(isa, word)
            mnemonic, _, operands = text.partition(" ")
            shown = ",".join(operands.split(", "))
            shown = _DISTANCE.sub(lambda found: place((address + int(found[1])) % (1 << program.xlen)), shown)  # noqa: B023
            yield f"{address:8x}:\t{word:0{2 * size}x}{' ' * (10 if size == 4 else 16)}\t{mnemonic}" + (
                f"\t{shown}" if shown else ""
            )
            position += size


def _bytes(program: Program, section: CodeSection) -> bytes:
    """What a section holds at the start."""
    for segment in program.segments:
        offset = section.address - segment.address
        if 0 <= offset < segment.memory_size:
            return segment.data[offset : offset + section.size]
    return b""
