"""The system calls a simulated program may make (RISC-V Linux numbers); all others answer ENOSYS and are counted."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

READ, WRITE, EXIT, EXIT_GROUP, BRK = 63, 64, 93, 94, 214
ENOSYS, EBADF, EFAULT = 38, 9, 14


class Environment:
    """Answers system calls of one program.

    Args:
        memory: simulated memory with read(address, size) and write(address, data).
        heap: first address that brk() hands out.
        echo: whether what the program writes also goes to this process's standard output at once.
    """

    def __init__(self, memory: Any, heap: int, *, echo: bool = False) -> None:
        self.memory, self.echo = memory, echo
        self.break_address = heap
        self.stdout = bytearray()
        self.exit_code: int | None = None
        self.unknown: Counter[int] = Counter()

    def call(self, number: int, arguments: list[int]) -> int | None:
        """Answer a call; None when the hart exits."""
        if number in (EXIT, EXIT_GROUP):
            code = arguments[0] & 255
            self.exit_code = code if not self.exit_code else self.exit_code
            return None
        if number == WRITE:
            return self.write(*arguments[:3])
        if number == READ:
            return 0 if arguments[0] == 0 else -EBADF
        if number == BRK:
            if arguments[0] >= self.break_address:
                self.break_address = arguments[0]
            return self.break_address
        self.unknown[number] += 1
        return -ENOSYS

    def write(self, descriptor: int, address: int, size: int) -> int:
        if descriptor not in (1, 2):
            return -EBADF
        try:
            data = self.memory.read(address, size)
        except ValueError:
            return -EFAULT
        self.stdout += data
        if self.echo:
            os.write(descriptor, bytes(data))
        return size
