"""Files of a Linux process: standard input and output, and those that its user allowed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from archsim.machine import linux_numbers as linux
from archsim.machine.environment import Options, Output

_LARGEST_READ = 1 << 24


class Refused(Exception):
    """A call fails with a Linux error number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class OpenFile:
    """An open file: a descriptor of this process, or -1 for standard input out of bytes, and output."""

    handle: int
    flags: int = 0
    standard: int = -1
    """0, 1 or 2 for the standard ones."""


@dataclass(frozen=True)
class Facts:
    """What stat tells of a file."""

    mode: int
    size: int = 0
    inode: int = 1
    links: int = 1


class Files:
    """The open files of a process.

    Args:
        options: what the program may touch.
        output: what it writes goes there.
    """

    def __init__(self, options: Options, output: Output) -> None:
        self.readable = [path.resolve() for path in (*options.allow, *options.allow_write)]
        self.writable = [path.resolve() for path in options.allow_write]
        self.output = output
        self.input = options.stdin if isinstance(options.stdin, bytes) else b""
        self.input_handle = options.stdin if isinstance(options.stdin, int) else -1
        self.open_files: dict[int, OpenFile] = {number: OpenFile(-1, 2, number) for number in range(3)}

    def close_all(self) -> None:
        """Close what the program left open."""
        for number in list(self.open_files):
            self.close(number)

    def of(self, number: int) -> OpenFile:
        if number not in self.open_files:
            raise Refused(linux.EBADF)
        return self.open_files[number]

    def allowed(self, name: str, write: bool) -> Path:
        """The real path of a name, if the user allowed it.

        Raises:
            Refused: EACCES.
        """
        path = Path(os.path.realpath(name))
        if any(path == given or given in path.parents for given in (self.writable if write else self.readable)):
            return path
        raise Refused(linux.EACCES)

    def open(self, name: str, flags: int, mode: int) -> int:
        change = flags & linux.O_ACCESS or flags & (linux.O_CREAT | linux.O_TRUNC | linux.O_APPEND)
        path = self.allowed(name, bool(change))
        own = {1: os.O_WRONLY, 2: os.O_RDWR}.get(flags & linux.O_ACCESS, os.O_RDONLY)
        for theirs, ours in (
            (linux.O_CREAT, os.O_CREAT), (linux.O_EXCL, os.O_EXCL), (linux.O_TRUNC, os.O_TRUNC),
            (linux.O_APPEND, os.O_APPEND),
        ):  # fmt: skip
            own |= ours if flags & theirs else 0
        # a pipe that nobody writes to would wait for ever
        handle = os.open(path, own | os.O_NONBLOCK | os.O_CLOEXEC, mode & 0o777)
        return self.add(OpenFile(handle, flags))

    def add(self, file: OpenFile, lowest: int = 0) -> int:
        number = next(n for n in range(lowest, lowest + len(self.open_files) + 1) if n not in self.open_files)
        if number >= 1024:
            os.close(file.handle)
            raise Refused(24)
        self.open_files[number] = file
        return number

    def duplicate(self, number: int, to: int | None = None, lowest: int = 0) -> int:
        file = self.of(number)
        copy = OpenFile(os.dup(file.handle) if file.handle >= 0 else -1, file.flags, file.standard)
        if to is None:
            return self.add(copy, lowest)
        if to in self.open_files:
            self.close(to)
        self.open_files[to] = copy
        return to

    def close(self, number: int) -> None:
        file = self.of(number)
        del self.open_files[number]
        if file.handle >= 0:
            os.close(file.handle)

    def read(self, number: int, size: int, offset: int | None = None) -> bytes:
        file = self.of(number)
        size = min(size, _LARGEST_READ)
        if file.standard == 0:
            if self.input_handle >= 0:
                return os.read(self.input_handle, size)
            data, self.input = self.input[:size], self.input[size:]
            return data
        if file.handle < 0 or file.flags & linux.O_ACCESS == linux.O_WRONLY:
            raise Refused(linux.EBADF)
        return os.read(file.handle, size) if offset is None else os.pread(file.handle, size, offset)

    def write(self, number: int, data: bytes, offset: int | None = None) -> int:
        file = self.of(number)
        if file.standard in (1, 2):
            self.output.write(file.standard, data)
            return len(data)
        if file.handle < 0 or file.flags & linux.O_ACCESS == 0:
            raise Refused(linux.EBADF)
        return os.write(file.handle, data) if offset is None else os.pwrite(file.handle, data, offset)

    def seek(self, number: int, offset: int, whence: int) -> int:
        file = self.of(number)
        if file.handle < 0:
            raise Refused(linux.ESPIPE)
        if whence not in (0, 1, 2):
            raise Refused(linux.EINVAL)
        return os.lseek(file.handle, offset, whence)

    def facts(self, number: int) -> Facts:
        file = self.of(number)
        # a pipe, wherever the output really goes: runs are the same in a terminal and out of one
        return _facts(os.fstat(file.handle)) if file.handle >= 0 else Facts(linux.S_IFIFO | 0o600)

    def facts_of(self, name: str) -> Facts:
        return _facts(os.stat(self.allowed(name, False)))


def _facts(found: os.stat_result) -> Facts:
    return Facts(stat.S_IFMT(found.st_mode) | stat.S_IMODE(found.st_mode), found.st_size, found.st_ino, found.st_nlink)
