"""What surrounds a simulated program: who answers its calls and its traps, and how it ends."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archsim.machine.chip import Chip

SLICE = 50_000_000
"""Instructions between two returns to Python, so that an interrupt is heard."""


@dataclass(frozen=True)
class Options:
    """What a user grants a program.

    Attributes:
        arguments: its arguments, after its name.
        allow: files and folders it may read.
        allow_write: files and folders it may read, create and change.
        stdin: bytes it reads from its standard input, or a file descriptor of this process (-1: nothing).
        echo: whether what it writes also goes to this process's standard output and error at once.
    """

    arguments: tuple[str, ...] = ()
    allow: tuple[Path, ...] = ()
    allow_write: tuple[Path, ...] = ()
    stdin: bytes | int = b""
    echo: bool = False


class Output:
    """What a program writes.

    Args:
        echo: whether it also goes to this process's standard output and error at once.

    Attributes:
        stdout, stderr: all of it.
    """

    def __init__(self, echo: bool) -> None:
        self.stdout, self.stderr, self.echo = bytearray(), bytearray(), echo

    def write(self, descriptor: int, data: bytes) -> None:
        """The program writes to its standard output (1) or error (2)."""
        (self.stdout if descriptor == 1 else self.stderr).extend(data)
        if self.echo:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]


class Environment:
    """The base of all environments: output, exit code, what was asked for in vain.

    Attributes:
        slice: instructions between two polls.
        exit_code: of the program; None while it runs.
        output: what it wrote.
        failed_test: number of the test that failed, of programs that say so.
        unknown: number of a system call that is not there -> how often it was made.
    """

    slice = SLICE
    failed_test = 0

    def __init__(self, chip: Chip, options: Options) -> None:
        self.chip, self.options = chip, options
        self.exit_code: int | None = None
        self.output = Output(options.echo)
        self.unknown: Counter[int] = Counter()

    def call(self, hart: int) -> None:
        """Answer an environment call of a hart, which stands behind it."""
        raise NotImplementedError

    def trap(self, hart: int) -> bool:
        """Handle a trap of a hart, which stands at it; False where the run must end with an error."""
        return False

    def code_changed(self) -> None:
        """Instructions were decoded again."""

    def poll(self) -> None:
        """Look, between slices, whether the program wants something."""

    def finish(self) -> None:
        """Give back what the program held of this computer."""


Clock = Callable[[int], int]
"""Nanoseconds of simulated time that a hart has run."""
