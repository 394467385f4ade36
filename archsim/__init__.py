"""archsim: a cycle-level simulator of open-ISA AI accelerators.

The public face; everything heavy is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "load_isa": "archsim.isa.load",
    "load_elf": "archsim.machine.elf",
    "run": "archsim.machine.run",
    "load_design": "archsim.design",
    "load_model": "archsim.models",
    "load_onnx": "archsim.models.onnx.model",
    "quantize": "archsim.formats",
    "simulate": "archsim.mapping",
    "compare": "archsim.explore.comparison",
    "sweep": "archsim.explore.sweep",
    "InputError": "archsim.common.errors",
    "SimulationError": "archsim.common.errors",
}
__all__ = [
    "InputError",
    "SimulationError",
    "__version__",
    "compare",
    "load_design",
    "load_elf",
    "load_isa",
    "load_model",
    "load_onnx",
    "quantize",
    "run",
    "simulate",
    "sweep",
]

if TYPE_CHECKING:
    from archsim.common.errors import InputError, SimulationError
    from archsim.design import load_design
    from archsim.explore.comparison import compare
    from archsim.explore.sweep import sweep
    from archsim.formats import quantize
    from archsim.isa.load import load_isa
    from archsim.machine.elf import load_elf
    from archsim.machine.run import run
    from archsim.mapping import simulate
    from archsim.models import load_model
    from archsim.models.onnx.model import load_onnx


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'archsim' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value
