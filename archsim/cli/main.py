"""The `archsim` command: finds the command's file, turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from archsim.cli import (
    accuracy,
    bandwidth,
    compare,
    design,
    explain,
    formats,
    gemm,
    generate,
    isa,
    isa_export,
    isa_lint,
    isa_test,
    isa_write,
    map,
    model,
    model_memory,
    replay,
    run,
    simulate,
    sweep,
    validate,
)
from archsim.common.errors import InputError, SimulationError

app = typer.Typer(
    name="archsim",
    help="Cycle-level simulation of open-ISA AI accelerators. "
    "Example: archsim compare llama-3-8b --designs edge-npu --designs server-npu",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# typer has its own copy of click in some releases: its public exceptions lead to the base of all usage errors
_UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
for module in (run, explain, simulate, generate, map, compare, gemm, bandwidth, sweep, replay, validate, accuracy):
    module.register(app)
for module in (isa_export, isa_lint, isa_test, isa_write):
    # they add their commands to it
    assert module.app is isa.app
assert model_memory.app is model.app
app.add_typer(isa.app, name="isa")
app.add_typer(design.app, name="design")
app.add_typer(model.app, name="model")
app.add_typer(formats.app, name="formats")


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the simulated thing failed, 2 bad input."""
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except _UsageError as error:
        message = error.format_message().rstrip(".")
        if not message:
            # no command was named: the help has been printed
            sys.exit(2)
        _end(f"{message}; see --help", 2)
    except typer.Abort:
        _end("interrupted", 130)
    except InputError as error:
        _end(str(error), 2)
    except SimulationError as error:
        _end(str(error), 1)
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _end(f"{place}{error.strerror or error}", 2)


def _end(message: str, code: int) -> None:
    print(f"archsim: {message}", file=sys.stderr)
    sys.exit(code)
