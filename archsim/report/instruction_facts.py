"""Time and energy of an extension's instructions on a design, for its documentation."""

from __future__ import annotations

import re
from pathlib import Path

from archsim.common.resources import shipped
from archsim.common.units import show as show_unit
from archsim.design import load_design
from archsim.isa.load import load_isa
from archsim.isa.spec import Extension, Isa
from archsim.machine.run import latency_table
from archsim.machine.single import SingleInstructions

LARGEST = 4096
"""Largest maximum of a CSR that says how large operands may be."""
TYPICAL = 1024
"""What another CSR that counts elements holds."""


def instruction_facts(
    design: str, extension: str, path: Path, isa: list[str] | None = None
) -> tuple[Isa, dict[str, dict[str, str]], str]:
    """An extension on a design.

    Args:
        design: name or YAML file.
        extension, path: its own name, and its file, which is loaded beside the design's instruction set.
        isa: the instruction set, instead of the design's.

    Returns:
        The instruction set with the design's parameters, mnemonic -> facts, and what they hold for in words.

    Raises:
        InputError: the design or the file is wrong.
    """
    found = load_design(design)
    names = list(isa or found.isa)
    loaded = load_isa(*names, parameters=found.parameters)
    if extension not in loaded.extensions:
        name = path.stem if shipped("isa", ".yaml").get(path.stem) == path else str(path)
        loaded = load_isa(*names, name, parameters=found.parameters)
    csrs = _sizes(loaded, loaded.extensions[extension])
    bench = SingleInstructions(loaded, found, csrs)
    latency = latency_table(found)
    scalar = found.energy.value("scalar.instruction")
    facts = {}
    for instruction in loaded.extensions[extension].instructions.values():
        cost = bench.cost(instruction)
        if cost is not None:
            facts[instruction.name] = _row(str(cost.interval), str(cost.latency or ""), cost.energy_j)
        elif instruction.unit in latency:
            cycles = instruction.work.get("latency", latency[instruction.unit])
            facts[instruction.name] = _row("1", str(cycles), scalar)
    sizes = ", ".join(f"`{name}` {value}" for name, value in csrs.items())
    where = f"{found.name} at {show_unit(found.clock, 'Hz')}"
    return loaded, facts, f"{where}{f' with {sizes}' if sizes else ''}, operands in the scratchpad"


def _row(interval: str, latency: str, joules: float) -> dict[str, str]:
    return {"cycles to the next": interval, "cycles to the result": latency, "energy": show_unit(joules, "J")}


def _sizes(isa: Isa, extension: Extension) -> dict[str, int]:
    """The largest operands: every CSR that work and memory name, at its maximum or TYPICAL."""
    words: set[str] = set()
    for instruction in extension.instructions.values():
        if instruction.unit != "dma":
            for facts in (instruction.work, *instruction.memory):
                words |= {word for value in facts.values() for word in re.findall(r"[A-Za-z_]\w*", str(value))}
    csrs = {name: state for name, state in isa.state.items() if state.kind == "csr" and name in words}
    return {
        name: state.maximum if state.maximum <= LARGEST else TYPICAL
        for name, state in csrs.items()
        if not state.of and not state.fields
    }
