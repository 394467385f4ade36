"""Words that nobody wrote: whatever they decode to, the machine goes on or traps, and stays within its memory."""

from __future__ import annotations

import os
import random

import archsim
from archsim.common.errors import InputError, SimulationError

WORDS = 100_000 if os.environ.get("ARCHSIM_FUZZ") else 6_000
BLOCK = 100
HANDLER = """
.text
_start:
  la t0, handler
  csrw mtvec, t0
  li t0, 0x6600
  csrs mstatus, t0
  la x2, middle
  mv x8, x2
  mv x10, x2
  j body
.align 2
handler:
  # over the instruction that trapped, except where nothing can be fetched
  csrr x5, mcause
  beqz x5, done
  addi x5, x5, -1
  beqz x5, done
  csrr x5, mepc
  lhu x6, 0(x5)
  andi x6, x6, 3
  addi x6, x6, -3
  addi x5, x5, 2
  bnez x6, 1f
  addi x5, x5, 2
1:
  csrw mepc, x5
  mret
done:
  la x5, tohost
  li x6, 1
  sw x6, 0(x5)
2:
  j 2b
.data
  .zero 4096
middle:
  .zero 4096
.align 3
tohost: .dword 0
.text
body:
"""


def test_random_words_do_no_harm() -> None:
    isa = archsim.load_isa("rv64gcv_zba_zbb_zbc_zbs_zfh", "sm")
    rng = random.Random(20)
    ended = 0
    for _ in range(WORDS // BLOCK):
        words = [rng.getrandbits(32) | rng.choice((0, 3, 3)) for _ in range(BLOCK)]
        source = HANDLER + "\n".join(f".4byte {word:#x}" for word in words) + "\nj done\n"
        try:
            result = archsim.run(
                isa.assemble(source), "edge-npu", isa=isa, fidelity="functional", max_instructions=20_000
            )
            ended += result.exit_code == 0
        except SimulationError as error:
            assert "\n" not in str(error)
        except InputError as error:  # pragma: no cover - there is no bad input here
            raise AssertionError(str(error)) from error
    assert ended > WORDS // BLOCK // 2
