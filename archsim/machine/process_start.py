"""The first things a Linux process finds on its stack: arguments, environment, auxiliary vector.

Source: Linux 6.6, fs/binfmt_elf.c (create_elf_tables); RISC-V ELF psABI 1.0.
"""

from __future__ import annotations

import hashlib
from typing import Any

from archsim.isa.program import Program, ProgramHeaders
from archsim.machine import linux_numbers as linux


def put_start(memory: Any, program: Program, arguments: tuple[str, ...], extensions: str, top: int) -> int:
    """Write a process's start below `top`.

    Args:
        memory: simulated memory with write(address, data).
        arguments: after the program's name.
        extensions: single letters of the extensions there are, such as "acdfimv", for AT_HWCAP.
        top: end of the stack, a multiple of 16.

    Returns:
        The stack pointer to start with, a multiple of 16: there stands argc.
    """
    position = top - 16

    def put(data: bytes) -> int:
        nonlocal position
        position -= len(data)
        memory.write(position, data)
        return position

    name = put(program.name.encode() + b"\0")
    texts = [put(text.encode(errors="surrogateescape") + b"\0") for text in reversed(arguments)][::-1]
    random = put(hashlib.sha256(program.name.encode()).digest()[:16])
    headers = program.headers or ProgramHeaders(0, 0, 0)
    vector = [
        (linux.AT_HWCAP, sum(1 << ord(letter) - ord("a") for letter in set(extensions))),
        (linux.AT_PAGESZ, linux.PAGE),
        (linux.AT_CLKTCK, 100),
        (linux.AT_PHDR, headers.address),
        (linux.AT_PHENT, headers.entry_size),
        (linux.AT_PHNUM, headers.count),
        (linux.AT_BASE, 0),
        (linux.AT_FLAGS, 0),
        (linux.AT_ENTRY, program.entry),
        *((kind, 1000) for kind in (linux.AT_UID, linux.AT_EUID, linux.AT_GID, linux.AT_EGID)),
        (linux.AT_SECURE, 0),
        (linux.AT_RANDOM, random),
        (linux.AT_EXECFN, name),
        (linux.AT_NULL, 0),
    ]
    words = [1 + len(texts), name, *texts, 0, 0, *(number for pair in vector for number in pair)]
    size = program.xlen // 8
    position = (position - size * len(words)) & ~15
    memory.write(position, b"".join(word.to_bytes(size, "little") for word in words))
    return position
