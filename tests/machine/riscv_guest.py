"""A guest program that does single RISC-V instructions on qemu: operands in, result and flags out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from tests.debian import needs

needs_qemu = [needs("clang-16", "clang-16"), needs("ld.lld-16", "lld-16"), needs("qemu-riscv64", "qemu-user")]
_LETTER = {16: "h", 32: "s", 64: "d"}
_MOVE = {16: "h", 32: "w", 64: "d"}
_BODY = """
asm volatile("fsrm %[rm]\\n fsflags x0\\n csrw vxrm, %[rm]\\n csrw vxsat, x0\\n"
  {asm}
  : [r] "=&r"(result), [f] "=&r"(flags) : [rm] "r"(in[1]), [a] "r"(in[2]), [b] "r"(in[3]), [c] "r"(in[4]) : "memory");
"""
_PROGRAM = """
typedef long word;
static word call(word n, word a, word b, word c) {
  register word a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a7 asm("a7") = n;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}
static word input[5 * 4096], output[2 * 4096];
static word fill(char *to, word size) {
  word done = 0, got;
  while (done < size && (got = call(63, 0, (word)(to + done), size - done)) > 0) done += got;
  return done;
}
void _start(void) {
  word count;
  while ((count = fill((char *)input, sizeof input) / 40) > 0) {
    for (word i = 0; i < count; i++) {
      word *in = input + 5 * i, result = 0, flags = 0;
      switch (in[0]) { CASES }
      output[2 * i] = result;
      output[2 * i + 1] = flags;
    }
    for (word at = 0; at < 16 * count;) at += call(64, 1, (word)output + at, 16 * count - at);
  }
  call(93, 0, 0, 0);
  for (;;);
}
"""


def _quoted(*lines: str) -> str:
    return _BODY.format(asm=" ".join(f'"{line}\\n"' for line in lines))


def _float(instruction: str, width: int, *, result: str = "float", to: int = 0) -> str:
    """Operands in ft0, ft1, ft2, result in ft3 or an integer register."""
    enter, leave = f"fmv.{_MOVE[width]}.x", f"fmv.x.{_MOVE[to or width]} %[r], ft3"
    return _quoted(
        *(f"{enter} ft{i}, %[{name}]" for i, name in enumerate("abc")),
        instruction,
        *([leave] if result == "float" else []),
        "frflags %[f]",
    )


def _vector(instruction: str, bits: int, *, wide: bool = False, flags: str = "csrr %[f], vxsat") -> str:
    """Operands in v2 and v6 (v2 may be twice as wide), result in v4."""
    return _quoted(
        *([f"vsetivli x0, 1, e{2 * bits}, m2, ta, ma"] if wide else []),
        *([] if wide else [f"vsetivli x0, 1, e{bits}, m1, ta, ma"]),
        "vmv.s.x v2, %[a]",
        f"vsetivli x0, 1, e{bits}, m1, ta, ma",
        "vmv.s.x v6, %[b]",
        instruction,
        "vmv.x.s %[r], v4",
        flags,
    )


def operations() -> dict[str, str]:
    """Operation ("add.32", "convert.64.16", "sat_add.8") -> C statement."""
    bodies = {}
    for width, x in _LETTER.items():
        for name in ("add", "sub", "mul", "div", "min", "max"):
            bodies[f"{name}.{width}"] = _float(f"f{name}.{x} ft3, ft0, ft1", width)
        bodies[f"sqrt.{width}"] = _float(f"fsqrt.{x} ft3, ft0", width)
        bodies[f"fma.{width}"] = _float(f"fmadd.{x} ft3, ft0, ft1, ft2", width)
        for name in ("eq", "lt", "le"):
            bodies[f"{name}.{width}"] = _float(f"f{name}.{x} %[r], ft0, ft1", width, result="int")
        bodies[f"class.{width}"] = _float(f"fclass.{x} %[r], ft0", width, result="int")
        for letter, bits, signed in (("w", 32, 1), ("wu", 32, 0), ("l", 64, 1), ("lu", 64, 0)):
            bodies[f"to_int.{width}.{bits}.{signed}"] = _float(f"fcvt.{letter}.{x} %[r], ft0", width, result="int")
            if bits == 64:
                bodies[f"from_int.{width}.{signed}"] = _float(f"fcvt.{x}.{letter} ft3, %[a]", width)
        for to, y in _LETTER.items():
            if to != width:
                bodies[f"convert.{width}.{to}"] = _float(f"fcvt.{y}.{x} ft3, ft0", width, to=to)
        for name in ("frec7", "frsqrt7"):
            bodies[f"{name}.{width}"] = _vector(f"v{name}.v v4, v2", width, flags="frflags %[f]")
    for bits in (8, 16, 32, 64):
        for name, instruction in (
            ("sat_add", "vsadd"), ("sat_addu", "vsaddu"), ("sat_sub", "vssub"), ("sat_subu", "vssubu"),
            ("avg_add", "vaadd"), ("avg_addu", "vaaddu"), ("avg_sub", "vasub"), ("avg_subu", "vasubu"),
            ("frac_mul", "vsmul"), ("round_shr", "vssra"), ("round_shru", "vssrl"),
        ):  # fmt: skip
            bodies[f"{name}.{bits}"] = _vector(f"{instruction}.vv v4, v2, v6", bits)
        if bits < 64:
            bodies[f"narrow_clip.{bits}"] = _vector("vnclip.wv v4, v2, v6", bits, wide=True)
            bodies[f"narrow_clipu.{bits}"] = _vector("vnclipu.wv v4, v2, v6", bits, wide=True)
    return bodies


class Guest:
    """The guest program, built into a folder."""

    def __init__(self, folder: Path) -> None:
        bodies = operations()
        self.number = {name: index for index, name in enumerate(bodies)}
        cases = "\n".join(f"case {index}: {body} break;" for index, body in enumerate(bodies.values()))
        self.elf = folder / "guest"
        source = folder / "guest.c"
        source.write_text(_PROGRAM.replace("CASES", cases))
        subprocess.run(
            [
                "clang-16", "--target=riscv64-linux-gnu", "-march=rv64gcv_zfh", "-O1", "-nostdlib", "-ffreestanding",
                "-static", "-fuse-ld=lld", "-fno-builtin", "-o", self.elf, source,
            ],
            check=True,
        )  # fmt: skip

    def run(self, operation: str, modes: np.ndarray, *operands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Results and flags, int64 [n] each, of operands and rounding modes, int64 [n] each."""
        records = np.zeros((len(modes), 5), np.int64)
        records[:, 0], records[:, 1] = self.number[operation], modes
        for column, operand in enumerate(operands):
            records[:, 2 + column] = operand
        command = ["qemu-riscv64", "-cpu", "rv64,v=true,Zfh=true,vext_spec=v1.0", self.elf]
        done = subprocess.run(command, input=records.tobytes(), capture_output=True, check=True)
        answers = np.frombuffer(done.stdout, np.int64).reshape(-1, 2)
        assert len(answers) == len(modes), done.stderr
        return answers[:, 0], answers[:, 1]
