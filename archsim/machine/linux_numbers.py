"""Numbers of the RISC-V Linux user interface: errors, flags, structures.

Source: Linux 6.6, include/uapi/asm-generic (errno-base.h, errno.h, fcntl.h, mman-common.h, stat.h), include/uapi/linux
(auxvec.h, stat.h), arch/riscv/include/uapi/asm.
"""

from __future__ import annotations

import errno

EPERM, ENOENT, EIO, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT, ENODEV, EINVAL, ENOTTY = (
    1,
    2,
    5,
    9,
    11,
    12,
    13,
    14,
    19,
    22,
    25,
)
ESPIPE, ENAMETOOLONG, ENOSYS = 29, 36, 38

_BY_NAME = {
    "EPERM": EPERM, "ENOENT": ENOENT, "EIO": EIO, "EBADF": EBADF, "EAGAIN": EAGAIN, "EACCES": EACCES, "EEXIST": 17,
    "ENOTDIR": 20, "EISDIR": 21, "EINVAL": EINVAL, "EMFILE": 24, "EFBIG": 27, "ENOSPC": 28, "ESPIPE": ESPIPE,
    "EROFS": 30, "EPIPE": 32, "ENAMETOOLONG": ENAMETOOLONG, "ELOOP": 40,
}  # fmt: skip


def linux_error(error: OSError) -> int:
    """Linux's number for an error of this computer's system."""
    return _BY_NAME.get(errno.errorcode.get(error.errno or 0, ""), EIO)


AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
O_ACCESS, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND = 3, 1, 2, 0o100, 0o200, 0o1000, 0o2000
MAP_SHARED, MAP_FIXED, MAP_ANONYMOUS = 1, 0x10, 0x20
MREMAP_MAYMOVE = 1

# auxiliary vector
(
    AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID,
    AT_HWCAP, AT_CLKTCK, AT_SECURE, AT_RANDOM, AT_EXECFN,
) = (0, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 23, 25, 31)  # fmt: skip

IGNORED_SIGNALS = (17, 18, 23, 28)
"""Signals that do nothing unless a program handles them: SIGCHLD, SIGCONT, SIGURG, SIGWINCH."""
S_IFIFO, S_IFREG = 0o010000, 0o100000
PAGE = 4096
