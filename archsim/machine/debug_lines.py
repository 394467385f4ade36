"""Source lines of an ELF file's instructions, out of its DWARF line programs (versions 2 to 5)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SourceLines:
    """Which source line stands behind each address.

    Attributes:
        starts: first addresses of ranges, rising.
        places: (file, line) of each range; None where a range has no source.
    """

    starts: list[int]
    places: list[tuple[str, int] | None]

    def at(self, address: int) -> tuple[str, int] | None:
        """(file, line) of an instruction, None where that is not known."""
        index = bisect_right(self.starts, address) - 1
        return self.places[index] if index >= 0 else None


NO_LINES = SourceLines([], [])


def source_lines(path: Path) -> SourceLines:
    """Read an ELF file's line programs; a file without debug information has none.

    Raises:
        ValueError: the debug information is damaged.
    """
    from elftools.elf.elffile import ELFFile

    rows: list[tuple[int, tuple[str, int] | None]] = []
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if not elf.has_dwarf_info():
                return NO_LINES
            info = elf.get_dwarf_info()
            for unit in info.iter_CUs():
                program = info.line_program_for_CU(unit)
                if program is not None:
                    rows += _rows(program, _directory(unit))
    except Exception as error:
        # what the reader raises on damaged input is of every kind: construct, struct, index, key, assertion, recursion
        raise ValueError(f"{type(error).__name__}: {error}".splitlines()[0]) from None
    # an end of one sequence may be the start of the next: the start counts
    rows.sort(key=lambda row: (row[0], row[1] is not None))
    return SourceLines([address for address, _ in rows], [place for _, place in rows])


def _directory(unit: Any) -> str:
    """The folder a unit was compiled in."""
    attribute = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    return attribute.value.decode("utf-8", "replace") if attribute is not None else ""


def _rows(program: Any, directory: str) -> list[tuple[int, tuple[str, int] | None]]:
    """(address, (file, line)) of every row of a line program; None at the end of a sequence."""
    names = _file_names(program.header, directory)
    rows: list[tuple[int, tuple[str, int] | None]] = []
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        name = names.get(state.file)
        known = name is not None and state.line > 0 and not state.end_sequence
        rows.append((state.address, (str(name), state.line) if known else None))
    return rows


def _file_names(header: Any, directory: str) -> dict[int, str]:
    """Paths by the number that line programs use: from 1 before DWARF 5, from 0 since."""
    first = 0 if header.version >= 5 else 1
    folders = [_decode(folder) for folder in header.include_directory]
    if first:
        folders = [directory, *folders]
    result = {}
    for number, entry in enumerate(header.file_entry, first):
        folder = folders[entry.dir_index] if entry.dir_index < len(folders) else ""
        result[number] = str(Path(directory) / folder / _decode(entry.name))
    return result


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
