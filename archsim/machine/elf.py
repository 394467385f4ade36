"""ELF files of RISC-V programs, read into a Program; whatever a file claims is checked before it is believed.

Source: Tool Interface Standard ELF 1.2 and the RISC-V ELF psABI 1.0 (chapter "ELF Object Files", attributes in
"Attributes"). Every size and offset is compared with the file before anything is read by it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.program import CodeSection, Program, ProgramHeaders, Segment

ADDRESS_LIMIT = 1 << 32
"""Programs are held below this address."""
FIRST_ADDRESS = 4096
"""Nothing is held below: null pointers trap."""

_RISCV, _EXECUTABLE_FILE = 243, 2
_LOAD, _INTERPRETER, _HEADERS = 1, 3, 6
_SYMBOLS, _ATTRIBUTES = 2, 0x70000003
_EXECUTE = 1
_CONTENT, _INSTRUCTIONS = 1, 4
_MACHINES = {3: "EM_386", 8: "EM_MIPS", 21: "EM_PPC64", 22: "EM_S390", 40: "EM_ARM", 62: "EM_X86_64", 183: "EM_AARCH64"}
_TYPES = {0: "no type", 1: "an object file", 3: "a shared or position-independent file", 4: "a core file"}

_HEADER = {32: struct.Struct("<HHIIIIIHHHHHH"), 64: struct.Struct("<HHIQQQIHHHHHH")}
_PROGRAM = {32: struct.Struct("<IIIIIIII"), 64: struct.Struct("<IIQQQQQQ")}
_SECTION = {32: struct.Struct("<IIIIIIIIII"), 64: struct.Struct("<IIQQQQIIQQ")}
_SYMBOL = {
    32: np.dtype([("name", "<u4"), ("value", "<u4"), ("size", "<u4"), ("info", "u1"), ("other", "u1"), ("at", "<u2")]),
    64: np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("at", "<u2"), ("value", "<u8"), ("size", "<u8")]),
}
_FUNCTION, _OBJECT, _NO_TYPE = 2, 1, 0
_LOCAL, _GLOBAL = 0, 1


@dataclass(frozen=True)
class _Part:
    """A program header, or a section header, under the same names."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int
    memory_size: int = 0
    link: int = 0
    entry_size: int = 0
    name: int = 0


def load_elf(path: str | Path) -> Program:
    """Read a statically linked RISC-V executable, of 32 or 64 bits.

    Raises:
        InputError: the file is no ELF, is cut short, contradicts itself, is for another machine, needs a dynamic
            linker, or lies outside the memory that programs are held in.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    return _Reader(data, path).program()


class _Reader:
    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path = data, path

    def fail(self, message: str, remedy: str) -> NoReturn:
        raise InputError(message, file=self.path, remedy=remedy)

    def cut(self, what: str, end: int) -> NoReturn:
        self.fail(f"is cut short: {what} ends at byte {end}, the file at {len(self.data)}", "link or copy it again")

    def unpack(self, form: struct.Struct, offset: int, what: str) -> tuple[Any, ...]:
        if offset + form.size > len(self.data):
            self.cut(what, offset + form.size)
        return form.unpack_from(self.data, offset)

    def program(self) -> Program:
        if self.data[:4] != b"\x7fELF":
            self.fail("is no ELF file", "give an executable, or assembly source named .s")
        if len(self.data) < 20:
            self.cut("its header", 52)
        self.xlen = {1: 32, 2: 64}.get(self.data[4], 0)
        if not self.xlen:
            self.fail(f"has class {self.data[4]}", "link it for 32 or 64 bits")
        if self.data[5] != 1:
            self.fail("is not little-endian", "compile for riscv64 or riscv32")
        kind, machine, _, entry, programs, sections, _, _, size, count, section_size, section_count, names = (
            self.unpack(_HEADER[self.xlen], 16, "its header")
        )
        if machine != _RISCV:
            self.fail(f"is for {_MACHINES.get(machine, f'machine {machine}')}", "compile for riscv64 or riscv32")
        if kind != _EXECUTABLE_FILE:
            self.fail(
                f"is not a static executable but {_TYPES.get(kind, f'of type {kind}')}", "link with -static -no-pie"
            )
        parts = self.program_headers(programs, size, count)
        segments = self.segments(parts)
        self.check_entry(entry, segments)
        headers = self.section_headers(sections, section_size, section_count)
        named = self.symbols(headers)
        symbols = {name: address for address, name in reversed(named)}
        place = ProgramHeaders(_headers_address(parts, programs, size * count), size, count)
        return Program(
            tuple(segments), entry, symbols, {}, self.path.name, self.xlen, self.architecture(headers), place,
            self.code_sections(headers, names), named,
        )  # fmt: skip

    def program_headers(self, offset: int, size: int, count: int) -> list[_Part]:
        form = _PROGRAM[self.xlen]
        if count and size != form.size:
            self.fail(f"has program headers of {size} bytes, not {form.size}", "link it again")
        if offset + count * form.size > len(self.data):
            self.cut("its program header table", offset + count * form.size)
        parts = []
        for index in range(count):
            fields = form.unpack_from(self.data, offset + index * form.size)
            if self.xlen == 64:
                kind, flags, start, address, _, length, memory, _ = fields
            else:
                kind, start, address, _, length, memory, flags, _ = fields
            parts.append(_Part(kind, flags, start, address, length, memory))
        return parts

    def segments(self, parts: list[_Part]) -> list[Segment]:
        segments: list[Segment] = []
        for part in parts:
            if part.kind == _INTERPRETER:
                self.fail("needs a dynamic linker", "link with -static")
            if part.kind != _LOAD or part.memory_size == 0:
                continue
            if part.offset + part.size > len(self.data):
                self.cut("a segment", part.offset + part.size)
            what = f"its segment at {part.address:#x}"
            if part.size > part.memory_size:
                self.fail(f"{what} has {part.size} bytes for {part.memory_size} bytes of memory", "link it again")
            end = part.address + part.memory_size
            if part.address < FIRST_ADDRESS or end > ADDRESS_LIMIT:
                self.fail(
                    f"{what} with {part.memory_size} bytes lies outside memory "
                    f"({FIRST_ADDRESS:#x} to {ADDRESS_LIMIT:#x})",
                    "link it into that range, or reserve less",
                )
            for other in segments:
                if part.address < other.address + other.memory_size and other.address < end:
                    self.fail(f"{what} overlaps the one at {other.address:#x}", "link it again")
            content = self.data[part.offset : part.offset + part.size]
            segments.append(Segment(part.address, content, part.memory_size, bool(part.flags & _EXECUTE)))
        if not segments:
            self.fail("has nothing to load", "link it as an executable")
        return segments

    def check_entry(self, entry: int, segments: list[Segment]) -> None:
        if entry & 1:
            self.fail(f"its entry {entry:#x} is odd", "link it again")
        if not any(s.executable and s.address <= entry < s.address + len(s.data) for s in segments):
            self.fail(f"its entry {entry:#x} is not in an executable segment", "link it with -e SYMBOL of its start")

    def section_headers(self, offset: int, size: int, count: int) -> list[_Part]:
        form = _SECTION[self.xlen]
        if not offset or not count:
            return []
        if size != form.size:
            self.fail(f"has section headers of {size} bytes, not {form.size}", "link it again")
        if offset + count * form.size > len(self.data):
            self.cut("its section table", offset + count * form.size)
        parts = []
        for index in range(count):
            name, kind, flags, address, start, length, link, _, _, entry = form.unpack_from(
                self.data, offset + index * form.size
            )
            parts.append(_Part(kind, flags, start, address, length, 0, link, entry, name))
        return parts

    def content(self, section: _Part, what: str) -> bytes:
        if section.offset + section.size > len(self.data):
            self.cut(what, section.offset + section.size)
        return self.data[section.offset : section.offset + section.size]

    def symbols(self, sections: list[_Part]) -> tuple[tuple[int, str], ...]:
        """(address, name) of the functions, objects and labels, in the order that objdump prefers them."""
        table = next((section for section in sections if section.kind == _SYMBOLS), None)
        if table is None:
            return ()
        form = _SYMBOL[self.xlen]
        if table.entry_size != form.itemsize:
            self.fail(f"has symbols of {table.entry_size} bytes, not {form.itemsize}", "link it again, or strip it")
        if table.link >= len(sections):
            self.fail(f"has its symbols' names in section {table.link}", "link it again, or strip it")
        content = self.content(table, "its symbol table")
        names = self.content(sections[table.link], "its string table")
        entries = np.frombuffer(content, form, len(content) // form.itemsize)
        kinds = entries["info"] & 15
        wanted = entries[(entries["at"] != 0) & np.isin(kinds, (_FUNCTION, _OBJECT, _NO_TYPE))]
        found = []
        for entry in wanted.tolist():
            fields = dict(zip(form.names or (), entry, strict=True))
            name = _text(names, fields["name"])
            if name and not name.startswith(("$", ".L")):
                kind, bound = fields["info"] & 15, fields["info"] >> 4
                rank = (kind != _FUNCTION, kind != _OBJECT, bound != _GLOBAL, bound != _LOCAL)
                found.append((fields["value"], rank, name))
        return tuple((address, name) for address, _, name in sorted(found))

    def code_sections(self, sections: list[_Part], names: int) -> tuple[CodeSection, ...]:
        """Sections that hold instructions, in the order of their addresses."""
        table = self.content(sections[names], "its section names") if names < len(sections) else b""
        found = [
            CodeSection(_text(table, section.name), section.address, section.size)
            for section in sections
            if section.kind == _CONTENT and section.flags & _INSTRUCTIONS and section.size
        ]
        return tuple(sorted(found, key=lambda section: section.address))

    def architecture(self, sections: list[_Part]) -> str | None:
        """The arch string of the attributes section; None where it is missing or is not understood."""
        for section in sections:
            if section.kind == _ATTRIBUTES and section.offset + section.size <= len(self.data):
                return _arch_attribute(self.data[section.offset : section.offset + section.size])
        return None


def _headers_address(parts: list[_Part], offset: int, size: int) -> int:
    """Where the program headers stand in memory."""
    for part in parts:
        if part.kind == _HEADERS:
            return part.address
    for part in parts:
        if part.kind == _LOAD and part.offset <= offset and offset + size <= part.offset + part.size:
            return part.address + offset - part.offset
    return 0


def _text(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset)
    return names[offset:end].decode("utf-8", "replace") if 0 <= offset < len(names) and end >= 0 else ""


def _arch_attribute(data: bytes) -> str | None:
    """Tag_RISCV_arch (5) of a .riscv.attributes section."""
    start = data.find(b"riscv\0")
    if data[:1] != b"A" or start != 5:
        return None
    # vendor name, then the tag of the file's subsection and its length
    position, tag = start + 6 + 5, -1
    while position < len(data):
        tag, position = _uleb(data, position)
        if tag % 2 == 0:
            _, position = _uleb(data, position)
            continue
        end = data.find(b"\0", position)
        if end < 0:
            return None
        if tag == 5:
            text = data[position:end]
            return text.decode() if text.isascii() and text[:2] == b"rv" and len(text) < 4096 else None
        position = end + 1
    return None


def _uleb(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and the position behind it."""
    value = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128 or shift > 63:
            break
    return value, position
