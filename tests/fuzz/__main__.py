"""python -m tests.fuzz: random programs on archsim and qemu-user, compared.

Example: python -m tests.fuzz --group rv64v --vlen 256 --seed 7 --count 20000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import Progress

from tests.fuzz.compare import GROUPS, VECTOR_LENGTHS, Outcome, run_group


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", choices=[*GROUPS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=55_000, help="instructions per group and VLEN")
    parser.add_argument("--vlen", type=int, choices=VECTOR_LENGTHS, help="only this one (default: all)")
    parser.add_argument("--only", default="", help="only mnemonics that contain this")
    arguments = parser.parse_args()
    groups = list(GROUPS) if arguments.group == "all" else [arguments.group]
    jobs = []
    for group in groups:
        lengths = [arguments.vlen] if arguments.vlen else VECTOR_LENGTHS
        jobs += [(group, length) for length in (lengths if group.endswith("v") else [128])]
    total = Outcome()
    with tempfile.TemporaryDirectory() as folder, Progress() as progress:
        task = progress.add_task("fuzzing", total=len(jobs))
        for group, length in jobs:
            progress.update(task, description=f"{group} VLEN {length}")
            start = time.monotonic()
            outcome = run_group(group, arguments.seed, arguments.count, Path(folder), vlen=length, only=arguments.only)
            progress.console.print(
                f"{group:8} VLEN {length:5} {outcome.programs:6} programs {outcome.instructions:8} instructions "
                f"{len(outcome.differences):3} differences {outcome.skipped:3} skipped "
                f"{time.monotonic() - start:6.1f} s"
            )
            for difference in outcome.differences:
                progress.console.print(difference, style="red", markup=False, highlight=False)
            total.instructions += outcome.instructions
            total.differences += outcome.differences
            progress.advance(task)
    print(f"{total.instructions} instructions compared, {len(total.differences)} differences")
    return int(bool(total.differences))


if __name__ == "__main__":
    sys.exit(main())
