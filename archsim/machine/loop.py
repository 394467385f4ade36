"""Source of the dispatch loop and of the scheduler over harts.

The loop holds the hot scalar core inline; every other instruction is a function of its own, called by address, and
compiled when it is first executed.
"""

from __future__ import annotations

from archsim.isa.lower import Lowering
from archsim.isa.spec import Instruction
from archsim.machine.coded import Coded, vocabulary
from archsim.machine.loop_timing import branch_lines, cache_lines, clock, timing_imports, timing_lines
from archsim.machine.variant import Variant


def loop_source(coded: Coded, variant: Variant) -> str:
    """Source of ``run(address)``: executes until something stops it, see layout for the ways it comes back."""
    lines = [
        vocabulary() + "from archsim.machine.hostfloat import FCSR",
        "from archsim.machine.jit import njit",
        "from archsim.machine.layout import *",
    ]
    if variant.timed:
        lines += timing_imports(variant)
    lines += ["", "", "@njit", "def run(address):"]
    body = [
        "ctxp = pointer_int64(address)",
        "ctx = ctxp",
        "x = pointer_int64(ctx[X])",
        "code = pointer_int64(ctx[CODE])",
        "functions = pointer_int64(ctx[FUNCTIONS])",
        "ram = ctx[RAM]",
        "limit = np.uint64(max(ctx[RAM_HELD] - 4096 - 8, 0))",
        "base = ctx[TEXT]",
        "size = np.uint64(ctx[CODE_SIZE])",
        "n = ctx[INSTRET]",
        "budget = ctx[LIMIT_COUNT]",
        "i = (ctx[PC] - base) >> 1",
        "status = RUNNING",
    ]
    for owner, kind in sorted(_files(coded)):
        body.append(f"p_{owner}_{kind} = pointer_{kind}(ctx[STATE] + {coded.offsets[owner]})")
    if coded.floats:
        body += ["csr = pointer_int64(ctx[CSR])", "forget_host_flags()"]
    if variant.timed:
        body += timing_lines(variant, "setup")
    if variant.record:
        body += [
            "k = ctx[RECORD_COUNT]",
            "record_limit = ctx[RECORD_LIMIT]",
            "record_index = pointer_int32(ctx[RECORD_INDEX])",
            "record_value = pointer_int64(ctx[RECORD_VALUE])",
        ]
    if variant.replay:
        body += [
            "k = ctx[TRACE_POSITION]",
            "trace_index = pointer_int32(ctx[TRACE_INDEX])",
            "trace_value = pointer_int64(ctx[TRACE_VALUE])",
            "trace_count = ctx[TRACE_COUNT]",
        ]
    body += ["if np.uint64(i) >= size:", "    ctx[TRAP] = FETCH_FAULT", "    return TRAPPED"]
    body += ["while True:", *("    " + line for line in _round(coded, variant))]
    body += ["ctx[PC] = base + 2 * i", "ctx[INSTRET] = n"]
    if coded.floats:
        body += ["gather_host_flags(ctx)"]
    if variant.timed:
        body += timing_lines(variant, "end")
    if variant.record:
        body += ["ctx[RECORD_COUNT] = k"]
    if variant.replay:
        body += ["ctx[TRACE_POSITION] = k"]
    body += ["return status"]
    return "\n".join(lines + ["    " + line for line in body]) + "\n"


def _round(coded: Coded, variant: Variant) -> list[str]:
    """One instruction: fetch, issue, execute, go on."""
    lines = []
    if variant.replay:
        lines += ["if k >= trace_count:", "    status = TRACE_END", "    break"]
        lines += ["i = np.int64(trace_index[k])", "traced = trace_value[k]"]
    lines += ["w = code[2 * i]", "imm = code[2 * i + 1]", "op = w & 0xFFFF", "pc = base + 2 * i"]
    lines += ["target = np.int64(-1)"]
    if variant.timed:
        lines += timing_lines(variant, "begin")
    if variant.record or variant.view:
        lines += ["at = i"]
    keyword = "if"
    for number, name in enumerate(coded.inline):
        lines.append(f"{keyword} op == {number}:  # {name}")
        lines += ["    " + line for line in _inline(coded, name, variant)]
        keyword = "elif"
    lines.append("else:")
    lines += ["    " + line for line in _outside(variant)]
    if variant.timed:
        lines += timing_lines(variant, "commit")
    lines.append("n += 1")
    if variant.step:
        lines += ["if status == RUNNING:", "    status = YIELDED", "break"]
    if variant.record:
        lines += [
            # an environment call is recorded with its answer
            "if status != ECALL:",
            "    record_index[k] = at",
            "    record_value[k] = x[d]",
            "    k += 1",
            "    if k >= record_limit:",
            "        status = RECORD_FULL",
        ]
    if variant.replay:
        lines += ["k += 1"]
    if variant.through:
        lines += ["if status != RUNNING:", "    break"]
    return lines


ADVANCE = ["if w < 0:", "    stay_a_branch()", "    i += 1", "else:", "    i += 2"]
"""Go on behind this instruction, which is 2 or 4 bytes long."""


def _lower(coded: Coded, name: str, variant: Variant) -> Lowering:
    return Lowering(
        coded.isa.instructions[name],
        coded.operation(name),
        coded.isa.state_of(coded.isa.instructions[name]),
        coded.isa.parameters,
        inline=True,
        replay=variant.replay,
    )


def _files(coded: Coded) -> set[tuple[str, str]]:
    """Register files other than X that inline instructions touch, with the type of their pointer."""
    files: set[tuple[str, str]] = set()
    for name in coded.inline:
        lowering = _lower(coded, name, Variant())
        lowering.statements()
        files |= lowering.files
    return files


def _inline(coded: Coded, name: str, variant: Variant) -> list[str]:
    instruction = coded.isa.instructions[name]
    operation = coded.operation(name)
    lowering = _lower(coded, name, variant)
    lines = lowering.statements()
    if "rounding" in operation.calls:
        lines = _if_near(lowering, lines, variant)
    if instruction.unit in ("load", "store") and not variant.replay:
        lines += ["if ctx[TRAP] != 0:", "    status = TRAPPED", "    break"]
    if instruction.unit in ("load", "store") and variant.timed:
        lines += cache_lines(variant, str(lowering.address), instruction.unit == "store")
    if "jump" in operation.calls:
        return lines + _jump_lines(coded, instruction, variant)
    return lines if variant.replay else [*lines, *ADVANCE]


def _if_near(lowering: Lowering, lines: list[str], variant: Variant) -> list[str]:
    """A floating-point instruction: here where it rounds to nearest even, in its own function elsewhere."""
    mode = lowering.name("rm")
    return [
        f"if {mode} == 0 or ({mode} == 7 and csr[FCSR] >> 5 & 7 == 0):",
        *("    " + line for line in lines),
        "else:",
        "    function = functions[op * COLUMNS]",
        *("    " + line for line in NEEDS_CODE),
        "    ctx[PC] = pc",
        "    call_at(function, ctxp, w, imm)",
        "    if ctx[TRAP] != 0:",
        "        status = TRAPPED",
        "        break",
    ]


def _jump_lines(coded: Coded, instruction: Instruction, variant: Variant) -> list[str]:
    predicted = branch_lines(variant, instruction) if variant.timed else []
    if variant.replay:
        return [
            "target = np.int64(-1)",
            "if k + 1 < trace_count and trace_index[k + 1] != i + 2 + (w >> 63):",
            "    target = base + 2 * np.int64(trace_index[k + 1])",
            *predicted,
        ]
    lines = [
        *predicted,
        "if target != -1:",
        "    after = wrap_sub(target, base) >> 1",
        f"    if np.uint64(after) >= size or target & {coded.alignment - 1}:",
        f"        ctx[TRAP] = FETCH_MISALIGNED if target & {coded.alignment - 1} else FETCH_FAULT",
        "        ctx[TRAP_VALUE] = target",
        "        status = TRAPPED",
        "        break",
        "    i = after",
    ]
    if variant.timed:
        lines += [f"    if {clock(variant)} > limit_time or n >= budget:"]
    else:
        lines += ["    if n >= budget:"]
    lines += ["        status = YIELDED"]
    if not variant.through:
        lines += ["        n += 1", "        break"]
    return [*lines, "else:", *("    " + line for line in ADVANCE)]


NEEDS_CODE = ["if function == 0:", "    status = NEEDS_CODE", "    break"]
"""Have an instruction compiled that is executed for the first time: it is issued again then."""


def _outside(variant: Variant) -> list[str]:
    """An instruction that is a function of its own."""
    lines = [
        "ctx[PC] = pc",
        "ctx[INSTRET] = n",
        "ctx[NEXT] = -1",
        "function = functions[op * COLUMNS + ctx[COLUMN]]",
        *NEEDS_CODE,
    ]
    if variant.replay:
        lines += ["x[d] = traced"]
    if variant.timed:
        lines += [
            "status = issue(ctxp, op, w, imm, start)",
            "behind = ctx[NOW]",
            "if status == BLOCKED:",
            "    break",
        ]
    else:
        lines += [
            "ctx[NOW] = n",
            "call_at(function, ctxp, w, imm)",
            "if ctx[TRAP] == BARRIER_BLOCK:",
            "    ctx[TRAP] = 0",
            "    status = BLOCKED",
            "    break",
        ]
    trapped = [
        "if ctx[TRAP] != 0:",
        "    status = TRAPPED",
        "    if ctx[TRAP] == ENVIRONMENT_CALL:",
        "        ctx[TRAP] = 0",
        "        status = ECALL",
        "        i += 2",
        *([] if variant.through else ["        n += 1"]),
        *(["    else:", "        break"] if variant.through else ["    break"]),
    ]
    if variant.replay:
        return [
            *lines,
            # memory holds nothing, and what happened stands in the trace
            "if ctx[TRAP] in (ENVIRONMENT_CALL, LOAD_FAULT, STORE_FAULT, CODE_CHANGED, STATUS_CHANGED, BREAKPOINT):",
            "    ctx[TRAP] = 0",
            "    status = RUNNING",
            "if ctx[TRAP] != 0:",
            "    status = TRAPPED",
            "    break",
            "x[d] = traced",
        ]
    lines += trapped
    if variant.timed:
        lines += ["if ctx[NEXT] != -1:", "    outcome = WRONG"]
    return [
        *lines,
        *(["if status == ECALL:", "    stay_a_branch()"] if variant.through else []),
        ("elif" if variant.through else "if") + " ctx[NEXT] != -1:",
        "    i = wrap_sub(ctx[NEXT], base) >> 1",
        "    if np.uint64(i) >= size:",
        "        ctx[TRAP] = FETCH_FAULT",
        "        ctx[TRAP_VALUE] = ctx[NEXT]",
        "        status = TRAPPED",
        "        break",
        "else:",
        *("    " + line for line in ADVANCE),
    ]


def scheduler_source(loop_module: str, timed: bool) -> str:
    """Source of ``go(chip)``: harts and, where time is kept, DMA engines in time order until Python is needed.

    The hart that is furthest behind goes next; engines never run ahead of it, so that what it starts still finds
    memory as it was then.
    """
    imports, engines = "", ""
    if timed:
        imports = "from archsim.machine.memory_calls import advance_until_released\n"
        engines = """
            if advance_until_released(chip, time if hart >= 0 else INFINITY - 1):
                continue"""
    return f"""{imports}from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import *
from {loop_module} import run


@njit
def pick(chip):
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    best, best_time, other, live, waiting = -1, INFINITY, INFINITY, 0, 0
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        if ctx[FINISHED]:
            continue
        live += 1
        if ctx[SYNC_WAITING] == 1:
            waiting += 1
        elif ctx[BLOCKED_ON] == 0:
            if ctx[NOW] < best_time:
                other = best_time
                best, best_time = hart, ctx[NOW]
            elif ctx[NOW] < other:
                other = ctx[NOW]
    return best, best_time, other, live, waiting


@njit
def release(chip):
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    time = 0
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        if ctx[FINISHED] == 0:
            time = max(time, ctx[NOW])
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        if ctx[FINISHED] == 0:
            ctx[SYNC_WAITING] = -(time + chip[CHIP_SYNC_LATENCY])


@njit
def go(address):
    chip = pointer_int64(address)
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    while True:
        # a hart that came back for compiled code goes on as if it had never stopped
        hart = chip[CHIP_RESUME] - 1
        chip[CHIP_RESUME] = 0
        if hart < 0:
            hart, time, other, live, waiting = pick(chip)
            if live > 0 and waiting == live:
                release(chip)
                continue{engines}
            if hart < 0:
                return (0, EXITED) if live == 0 else (0, BLOCKED)
            pointer_int64(contexts[hart])[LIMIT_TIME] = other + QUANTUM if other < INFINITY else INFINITY
        ctx = pointer_int64(contexts[hart])
        if chip[CHIP_LAST] != hart:
            # another hart may have stored where this one has a reservation
            ctx[RESERVATION] = -1
            chip[CHIP_LAST] = hart
        status = run(contexts[hart])
        if status == BLOCKED:
            continue
        if status == NEEDS_CODE:
            chip[CHIP_RESUME] = hart + 1
        if status != YIELDED or ctx[INSTRET] >= ctx[LIMIT_COUNT]:
            return (hart, status)
"""
