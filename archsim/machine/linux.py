"""A Linux process: the system calls that static glibc, newlib and picolibc programs make.

Everything a program can learn is the same in every run: time is simulated time, random numbers come from a fixed seed,
output is a pipe. Calls that are not in the table answer ENOSYS and are counted.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.isa.program import Program
from archsim.machine import layout as at
from archsim.machine import linux_numbers as linux
from archsim.machine.address_space import GAP, AddressSpace, pages
from archsim.machine.chip import Chip
from archsim.machine.environment import Clock, Environment, Options
from archsim.machine.files import Facts, Files, Refused
from archsim.machine.process_start import put_start

STACK_BYTES = 8 << 20
STACK_TOP = 1 << 31
EPOCH_NS = 1_704_067_200 * 10**9
"""Real time starts at 2024-01-01 00:00 UTC."""
PROCESS = 1000
LARGEST_WRITE = 1 << 24
"""Bytes that one call takes at most: programs write the rest with the next."""

# number -> method; source: include/uapi/asm-generic/unistd.h of Linux 6.6; those from 1024 on are newlib's
CALLS = {
    17: "getcwd", 23: "dup", 24: "dup3", 25: "fcntl", 29: "ioctl", 35: "unlinkat", 46: "ftruncate", 48: "faccessat",
    56: "openat", 57: "close", 62: "lseek", 63: "read", 64: "write", 65: "readv", 66: "writev", 67: "pread64",
    68: "pwrite64", 78: "readlinkat", 79: "newfstatat", 80: "fstat", 93: "exit", 94: "exit", 96: "set_tid_address",
    98: "futex", 99: "set_robust_list", 101: "nanosleep", 113: "clock_gettime", 114: "clock_getres",
    115: "clock_nanosleep", 123: "sched_getaffinity", 124: "sched_yield", 129: "kill", 130: "tkill", 131: "tgkill",
    132: "sigaltstack", 134: "rt_sigaction", 135: "rt_sigprocmask", 153: "times", 160: "uname", 165: "getrusage",
    169: "gettimeofday", 172: "getpid", 173: "getppid", 174: "getuid", 175: "getuid", 176: "getuid", 177: "getuid",
    178: "getpid", 179: "sysinfo", 214: "brk", 215: "munmap", 216: "mremap", 222: "mmap", 226: "mprotect",
    233: "madvise", 259: "flush_icache", 261: "prlimit64", 278: "getrandom", 291: "statx", 293: "rseq",
    403: "clock_gettime64", 406: "clock_getres64", 407: "clock_nanosleep64", 422: "futex", 439: "faccessat",
    1024: "open", 1026: "unlink", 1038: "stat", 1062: "time",
}  # fmt: skip


class LinuxProcess(Environment):
    """Answers the system calls of one program.

    Args:
        chip: what it runs on; its first hart starts on a process's stack, the others do not start.
        program: out of an ELF file, or assembled: then every hart starts at its entry with a stack of its own.
        options: what its user grants it.
        clock: simulated nanoseconds of a hart.
    """

    def __init__(self, chip: Chip, program: Program, options: Options, clock: Clock) -> None:
        super().__init__(chip, options)
        self.memory: Any = chip.memory
        self.program, self.clock = program, clock
        self.narrow = program.xlen == 32
        self.mask = (1 << program.xlen) - 1
        self.files = Files(options, self.output)
        self.random = random.Random(program.name)
        self.slept = 0
        self.hart = 0
        self.handled: dict[int, int] = {}
        end = max((s.address + s.memory_size for s in program.segments), default=0)
        stacks = STACK_BYTES if program.headers else chip.harts << 20
        held = chip.memory.held
        self.top = (held if end + stacks + 16 * GAP > STACK_TOP - 0x10000 else min(held, STACK_TOP)) - 0x10000
        if end + stacks + 16 * GAP > self.top:
            if program.headers:
                raise InputError(
                    f"{program.name} ends at {end:#x}: no room for heap and stack below {self.top:#x}",
                    remedy="link it lower",
                )
            end = 0
        self.space = AddressSpace(chip.memory, pages(end), self.top - stacks - GAP)
        self._start()

    def _start(self) -> None:
        if self.program.headers is None:
            for hart in range(self.chip.harts):
                self.chip.view(hart, at.X, 33)[2] = self.top - 4096 - (hart << 20)
            return
        letters = "".join(name.lower() for name in self.chip.tables.coded.isa.extensions if len(name) == 1)
        stack = put_start(self.memory, self.program, self.options.arguments, letters, self.top)
        self.chip.view(0, at.X, 33)[2] = stack
        for hart, context in enumerate(self.chip.contexts):
            context[at.PRIVILEGE] = at.USER
            context[at.FINISHED] = int(hart > 0)

    # -- calls

    def call(self, hart: int) -> None:
        self.hart = hart
        registers = self.chip.view(hart, at.X, 33)
        number = int(registers[17])
        name = CALLS.get(number)
        if name is None:
            self.unknown[number] += 1
            registers[10] = -linux.ENOSYS
            return
        method = _METHODS[name]
        arguments = [int(value) & self.mask for value in registers[10 : 10 + _COUNTS[name]]]
        try:
            answer = method(self, *arguments)
        except Refused as refused:
            answer = -refused.number
        except (ValueError, InputError):
            answer = -linux.EFAULT
        except OverflowError:
            answer = -linux.EINVAL
        except OSError as error:
            answer = -linux.linux_error(error)
        if answer == -linux.ENOSYS:
            self.unknown[number] += 1
        if answer is not None:
            answer &= self.mask
            registers[10] = answer - (self.mask + 1) if answer >> (self.program.xlen - 1) else answer

    def finish(self) -> None:
        """Give back what the process held of this computer."""
        self.files.close_all()

    def check(self, address: int, size: int) -> None:
        """Refuse a buffer outside memory."""
        if address + size > self.memory.held:
            raise Refused(linux.EFAULT)

    def text(self, address: int) -> str:
        """A string that ends with a zero byte."""
        data = bytearray()
        while len(data) < 4096:
            chunk = self.memory.read(address + len(data), min(256, self.memory.held - address - len(data)))
            data += chunk.split(b"\0")[0]
            if b"\0" in chunk:
                return os.fsdecode(bytes(data))
        raise Refused(linux.ENAMETOOLONG)

    def word(self, address: int) -> int:
        return int.from_bytes(self.memory.read(address, self.program.xlen // 8), "little")

    # -- files

    def path(self, directory: int, address: int) -> str:
        name = self.text(address)
        if not name:
            raise Refused(linux.ENOENT)
        if _signed(directory) != linux.AT_FDCWD and not name.startswith("/"):
            handle = self.files.of(_signed(directory)).handle
            return os.path.join(os.readlink(f"/proc/self/fd/{handle}"), name)
        return name

    def openat(self, directory: int, path: int, flags: int, mode: int) -> int:
        return self.files.open(self.path(directory, path), flags, mode)

    def open(self, path: int, flags: int, mode: int) -> int:
        # newlib's own flags
        own = flags & 3
        for theirs, ours in (
            (0x200, linux.O_CREAT),
            (0x400, linux.O_TRUNC),
            (0x800, linux.O_EXCL),
            (8, linux.O_APPEND),
        ):
            own |= ours if flags & theirs else 0
        return self.files.open(self.path(linux.AT_FDCWD, path), own, mode)

    def close(self, descriptor: int) -> int:
        self.files.close(_signed(descriptor))
        return 0

    def read(self, descriptor: int, address: int, size: int) -> int:
        self.check(address, size)
        data = self.files.read(_signed(descriptor), size)
        return self.put(address, data)

    def write(self, descriptor: int, address: int, size: int) -> int:
        self.check(address, size)
        return self.files.write(_signed(descriptor), self.memory.read(address, min(size, LARGEST_WRITE)))

    def pread64(self, descriptor: int, address: int, size: int, offset: int, high: int) -> int:
        self.check(address, size)
        where = offset | high << 32 if self.narrow else offset
        return self.put(address, self.files.read(_signed(descriptor), size, where))

    def pwrite64(self, descriptor: int, address: int, size: int, offset: int, high: int) -> int:
        where = offset | high << 32 if self.narrow else offset
        self.check(address, size)
        return self.files.write(_signed(descriptor), self.memory.read(address, min(size, LARGEST_WRITE)), where)

    def vectors(self, address: int, count: int) -> list[tuple[int, int]]:
        if count > 1024:
            raise Refused(linux.EINVAL)
        size = self.program.xlen // 8
        return [(self.word(address + 2 * size * i), self.word(address + 2 * size * i + size)) for i in range(count)]

    def readv(self, descriptor: int, address: int, count: int) -> int:
        total = 0
        for start, size in self.vectors(address, count):
            got = self.read(descriptor, start, size) if size else 0
            total += got
            if got < size:
                break
        return total

    def writev(self, descriptor: int, address: int, count: int) -> int:
        data = bytearray()
        for start, size in self.vectors(address, count):
            self.check(start, size)
            data += self.memory.read(start, min(size, LARGEST_WRITE - len(data)))
        return self.files.write(_signed(descriptor), bytes(data))

    def lseek(self, descriptor: int, a: int, b: int, result: int, whence: int) -> int:
        number = _signed(descriptor)
        if not self.narrow:
            return self.files.seek(number, _signed64(a), b)
        if not result:
            # newlib on RV32 passes (descriptor, offset, whence)
            return self.files.seek(number, _signed(a), b)
        offset = self.files.seek(number, _signed64(a << 32 | b), whence)
        self.memory.write(result, struct.pack("<q", offset))
        return 0

    def dup(self, descriptor: int) -> int:
        return self.files.duplicate(_signed(descriptor))

    def dup3(self, descriptor: int, to: int, flags: int) -> int:
        if _signed(descriptor) == _signed(to) or not 0 <= _signed(to) < 1024:
            raise Refused(linux.EINVAL)
        return self.files.duplicate(_signed(descriptor), _signed(to))

    def fcntl(self, descriptor: int, command: int, argument: int) -> int:
        file = self.files.of(_signed(descriptor))
        if command in (0, 1030):  # F_DUPFD, F_DUPFD_CLOEXEC
            return self.files.duplicate(_signed(descriptor), lowest=min(argument, 1024))
        if command == 3:  # F_GETFL
            return file.flags
        return 0 if command in (1, 2, 4) else -linux.EINVAL

    def ioctl(self, descriptor: int) -> int:
        self.files.of(_signed(descriptor))
        return -linux.ENOTTY

    def unlinkat(self, directory: int, path: int, flags: int) -> int:
        os.unlink(self.files.allowed(self.path(directory, path), True))
        return 0

    def unlink(self, path: int) -> int:
        return self.unlinkat(linux.AT_FDCWD, path, 0)

    def ftruncate(self, descriptor: int, size: int, low: int, high: int) -> int:
        file = self.files.of(_signed(descriptor))
        if file.handle < 0 or not file.flags & linux.O_ACCESS:
            raise Refused(linux.EINVAL)
        os.ftruncate(file.handle, low | high << 32 if self.narrow else size)
        return 0

    def faccessat(self, directory: int, path: int, mode: int) -> int:
        found = self.files.allowed(self.path(directory, path), bool(mode & 2))
        return 0 if os.access(found, mode & 7) else -(linux.EACCES if found.exists() else linux.ENOENT)

    def fstat(self, descriptor: int, address: int) -> int:
        self.memory.write(address, _stat(self.files.facts(_signed(descriptor))))
        return 0

    def stat(self, path: int, address: int) -> int:
        self.memory.write(address, _stat(self.files.facts_of(self.path(linux.AT_FDCWD, path))))
        return 0

    def facts_at(self, directory: int, path: int, flags: int) -> Facts:
        if flags & linux.AT_EMPTY_PATH and (not path or not self.text(path)):
            return self.files.facts(_signed(directory))
        return self.files.facts_of(self.path(directory, path))

    def newfstatat(self, directory: int, path: int, address: int, flags: int) -> int:
        self.memory.write(address, _stat(self.facts_at(directory, path, flags)))
        return 0

    def statx(self, directory: int, path: int, flags: int, mask: int, address: int) -> int:
        facts = self.facts_at(directory, path, flags)
        head = struct.pack(
            "<IIQIIIHHQQQQ", 0x7FF, linux.PAGE, 0, facts.links, PROCESS, PROCESS, facts.mode, 0, facts.inode,
            facts.size, (facts.size + 511) // 512, 0,
        )  # fmt: skip
        self.memory.write(address, head.ljust(256, b"\0"))
        return 0

    def readlinkat(self, directory: int, path: int, address: int, size: int) -> int:
        name = self.text(path)
        if name == "/proc/self/exe":
            return self.put(address, f"/{self.program.name}".encode()[:size])
        found = os.readlink(self.files.allowed(str(Path(name).parent), False) / Path(name).name)
        return self.put(address, os.fsencode(found)[:size])

    def getcwd(self, address: int, size: int) -> int:
        data = os.fsencode(os.getcwd()) + b"\0"
        if len(data) > size:
            return -34  # ERANGE
        return self.put(address, data)

    def put(self, address: int, data: bytes) -> int:
        if data:
            self.memory.write(address, data)
        return len(data)

    # -- memory

    def brk(self, address: int) -> int:
        return self.space.set_break(address)

    def mmap(self, address: int, size: int, protection: int, flags: int, descriptor: int, offset: int) -> int:
        size = pages(size)
        if not 0 < size < 1 << 48:
            return -linux.EINVAL
        content = b""
        if not flags & linux.MAP_ANONYMOUS:
            file = self.files.of(_signed(descriptor))
            if file.handle < 0 or (flags & 3 == linux.MAP_SHARED and protection & 2):
                return -linux.ENODEV
            where = offset * linux.PAGE if self.narrow else offset
            content = os.pread(file.handle, min(size, self.memory.held), where)
        place: int | None = address
        if not flags & linux.MAP_FIXED:
            place = self.space.take(size)
        elif address % linux.PAGE or not self.space.fix(address, size):
            return -linux.EINVAL
        if place is None:
            return -linux.ENOMEM
        self.put(place, content)
        return place

    def munmap(self, address: int, size: int) -> int:
        if address % linux.PAGE or not size or address + size > self.memory.held:
            return -linux.EINVAL
        self.space.give_back(address, pages(size))
        return 0

    def mremap(self, address: int, old: int, new: int, flags: int) -> int:
        old, new = pages(old), pages(new)
        if address % linux.PAGE or not new or not old or flags & ~linux.MREMAP_MAYMOVE:
            return -linux.EINVAL
        if not self.space.held(address, min(old, self.memory.held)):
            return -linux.EFAULT
        if new <= old:
            self.space.give_back(address + new, old - new)
            return address
        if self.space.grow(address, old, new):
            return address
        if not flags & linux.MREMAP_MAYMOVE:
            return -linux.ENOMEM
        place = self.space.take(new)
        if place is None:
            return -linux.ENOMEM
        self.memory.move(address, place, old)
        self.space.give_back(address, old)
        return place

    def mprotect(self) -> int:
        return 0

    def madvise(self, address: int, size: int, advice: int) -> int:
        if advice == 4 and self.space.held(address, size):  # MADV_DONTNEED
            self.memory.clear(address, pages(size))
        return 0

    def flush_icache(self) -> int:
        return 0

    # -- time

    def now(self) -> int:
        return self.clock(self.hart) + self.slept

    def clock_time(self, number: int) -> tuple[int, int]:
        number = _signed(number)
        if number not in range(12):
            raise Refused(linux.EINVAL)
        now = self.now() + (EPOCH_NS if number in (0, 5, 11) else 0)
        return divmod(now, 10**9)

    def clock_gettime(self, number: int, address: int) -> int:
        self.memory.write(address, struct.pack("<qq", *self.clock_time(number)))
        return 0

    clock_gettime64 = clock_gettime

    def clock_getres(self, number: int, address: int) -> int:
        self.clock_time(number)
        if address:
            self.memory.write(address, struct.pack("<qq", 0, 1))
        return 0

    clock_getres64 = clock_getres

    def gettimeofday(self, address: int) -> int:
        seconds, rest = self.clock_time(0)
        if address:
            self.memory.write(address, struct.pack("<qq", seconds, rest // 1000))
        return 0

    def time(self, address: int) -> int:
        seconds, _ = self.clock_time(0)
        if address:
            self.memory.write(address, struct.pack("<q", seconds)[: self.program.xlen // 8])
        return seconds

    def times(self, address: int) -> int:
        ticks = self.now() // 10**7 & self.mask >> 1
        if address:
            size = self.program.xlen // 8
            self.memory.write(address, ticks.to_bytes(size, "little").ljust(4 * size, b"\0"))
        return ticks

    def getrusage(self, who: int, address: int) -> int:
        seconds, rest = divmod(self.now(), 10**9)
        size = self.program.xlen // 8
        self.memory.write(address, (struct.pack("<qq", seconds, rest // 1000)).ljust(32 + 14 * size, b"\0"))
        return 0

    def nanosleep(self, address: int) -> int:
        self.slept += self.duration(address)
        return 0

    def duration(self, address: int) -> int:
        """Nanoseconds of a struct timespec."""
        seconds, rest = struct.unpack("<qq", self.memory.read(address, 16))
        if not 0 <= seconds < 1 << 40 or not 0 <= rest < 10**9:
            raise Refused(linux.EINVAL)
        return int(seconds * 10**9 + rest)

    def clock_nanosleep(self, number: int, flags: int, address: int) -> int:
        duration = self.duration(address)
        until = duration - (EPOCH_NS if number == 0 else 0)
        self.slept += max(0, until - self.now()) if flags & 1 else duration
        return 0

    clock_nanosleep64 = clock_nanosleep

    # -- the process

    def exit(self, code: int) -> None:
        code &= 255
        self.exit_code = code if not self.exit_code else self.exit_code
        self.chip.contexts[self.hart][at.FINISHED] = 1

    def getpid(self) -> int:
        return PROCESS

    def getppid(self) -> int:
        return 1

    def getuid(self) -> int:
        return PROCESS

    def set_tid_address(self) -> int:
        return PROCESS

    def set_robust_list(self) -> int:
        return 0

    def rseq(self) -> int:
        return -linux.ENOSYS

    def sched_yield(self) -> int:
        return 0

    def sched_getaffinity(self, process: int, size: int, address: int) -> int:
        if size < 8:
            return -linux.EINVAL
        return self.put(address, (1).to_bytes(8, "little"))

    def futex(self, address: int, operation: int) -> int:
        # nobody else could wake it, and nobody waits
        return {0: -linux.EAGAIN, 9: -linux.EAGAIN, 1: 0, 10: 0, 3: 0, 4: 0, 5: 0}.get(operation & 127, -linux.ENOSYS)

    def rt_sigaction(self, number: int, new: int, old: int) -> int:
        if not 1 <= number <= 64 or (new and number in (9, 19)):
            return -linux.EINVAL
        size = self.program.xlen // 8
        if old:
            self.memory.write(old, self.handled.get(number, 0).to_bytes(size, "little").ljust(3 * size, b"\0"))
        if new:
            self.handled[number] = self.word(new)
        return 0

    def rt_sigprocmask(self, how: int, new: int, old: int, size: int) -> int:
        if old:
            self.memory.write(old, b"\0" * min(size, 128))
        return 0

    def sigaltstack(self) -> int:
        return 0

    def kill(self, process: int, number: int) -> int | None:
        if _signed(process) not in (PROCESS, 0, -1):
            return -3  # ESRCH
        return self.signal(number)

    tkill = kill

    def tgkill(self, group: int, thread: int, number: int) -> int | None:
        return self.kill(thread, number)

    def signal(self, number: int) -> int | None:
        """A signal of the program to itself: it ends as a shell would show it, or the signal is ignored."""
        handler = self.handled.get(number, 0)
        if number == 0 or handler == 1 or (handler == 0 and number in linux.IGNORED_SIGNALS):
            return 0
        if not 1 <= number <= 64:
            return -linux.EINVAL
        if handler > 1:
            return -linux.ENOSYS
        self.exit_code = 128 + number
        for context in self.chip.contexts:
            context[at.FINISHED] = 1
        return None

    def uname(self, address: int) -> int:
        fields = ("Linux", "archsim", "6.6.0", "#1", f"riscv{self.program.xlen}", "(none)")
        return self.put(address, b"".join(field.encode().ljust(65, b"\0") for field in fields)) and 0

    def sysinfo(self, address: int) -> int:
        word = self.program.xlen // 8
        form = "<q" + "Q" * 9 if word == 8 else "<i" + "I" * 9
        held = min(self.memory.held, (1 << self.program.xlen) - linux.PAGE)
        data = struct.pack(form, self.now() // 10**9 & 0x7FFFFFFF, 0, 0, 0, held, held // 2, 0, 0, 0, 0)
        data += struct.pack("<HH", 1, 0)
        data += b"\0" * (4 if word == 8 else 0) + bytes(2 * word) + struct.pack("<I", 1)
        self.memory.write(address, data)
        return 0

    def prlimit64(self, process: int, resource: int, new: int, old: int) -> int:
        if resource > 15:
            return -linux.EINVAL
        if old:
            limit = STACK_BYTES if resource == 3 else 1024 if resource == 7 else (1 << 64) - 1
            self.memory.write(old, struct.pack("<QQ", limit, (1 << 64) - 1 if resource != 7 else 1024))
        return 0

    def getrandom(self, address: int, size: int) -> int:
        self.check(address, size)
        return self.put(address, self.random.randbytes(min(size, 1 << 20)))


def _signed(value: int) -> int:
    """The C int in a register."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _signed64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _stat(facts: Facts) -> bytes:
    """struct stat of asm-generic, 64 bits; newlib on RV32 has the same."""
    head = struct.pack("<QQIIIIQQqiiq", 1, facts.inode, facts.mode, facts.links, PROCESS, PROCESS, 0, 0, facts.size,
                       linux.PAGE, 0, (facts.size + 511) // 512)  # fmt: skip
    return head.ljust(128, b"\0")


_METHODS: dict[str, Callable[..., int | None]] = {name: getattr(LinuxProcess, name) for name in CALLS.values()}
_COUNTS = {name: len(signature(method).parameters) - 1 for name, method in _METHODS.items()}
