"""ELF files of RISC-V programs, read with pyelftools into a Program."""

from __future__ import annotations

from pathlib import Path

from archsim.common.errors import InputError
from archsim.isa.program import Program, Segment

_EXECUTABLE = 1


def load_elf(path: str | Path) -> Program:
    """Read a statically linked RISC-V executable.

    Raises:
        InputError: the file is no ELF, is cut short, is for another machine, or needs a dynamic linker.
    """
    from elftools.common.exceptions import ELFError
    from elftools.construct.core import ConstructError
    from elftools.elf.elffile import ELFFile

    path = Path(path)
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            return _program(elf, path)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except (ELFError, ConstructError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"not a whole ELF file ({reason})", file=path, remedy="link or copy it again") from None


def _program(elf, path: Path) -> Program:  # type: ignore[no-untyped-def]
    if elf["e_machine"] != "EM_RISCV" or elf.elfclass != 64:
        raise InputError(f"is for {elf['e_machine']}, {elf.elfclass} bits", file=path, remedy="compile for riscv64")
    if elf["e_type"] != "ET_EXEC":
        raise InputError("is not a static executable", file=path, remedy="link with -static -no-pie")
    size = path.stat().st_size
    end = elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"]
    if end > size:
        raise _cut_short(path, f"its section table ends at byte {end}", size)
    segments = []
    for header in elf.iter_segments():
        if header["p_type"] == "PT_INTERP":
            raise InputError("needs a dynamic linker", file=path, remedy="link with -static")
        if header["p_type"] != "PT_LOAD" or header["p_memsz"] == 0:
            continue
        if header["p_offset"] + header["p_filesz"] > size:
            raise _cut_short(path, f"a segment ends at byte {header['p_offset'] + header['p_filesz']}", size)
        executable = bool(header["p_flags"] & _EXECUTABLE)
        segments.append(Segment(header["p_vaddr"], header.data(), header["p_memsz"], executable))
    if not segments:
        raise InputError("has nothing to load", file=path, remedy="link it as an executable")
    symbols = {}
    table = elf.get_section_by_name(".symtab")
    if table is not None:
        symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols() if symbol.name}
    return Program(tuple(segments), elf["e_entry"], symbols, {}, path.name)


def _cut_short(path: Path, what: str, size: int) -> InputError:
    return InputError(f"is cut short: {what}, the file at {size}", file=path, remedy="link or copy it again")
