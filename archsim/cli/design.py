"""archsim design: list, show and check designs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(help="Designs: what there is, and whether yours is right.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="Design name or YAML file.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change a field: FIELD=VALUE.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """What ships. Example: archsim design list"""
    from archsim.cli.output import print_json, print_table
    from archsim.common.resources import shipped
    from archsim.common.units import show as show_unit
    from archsim.design import load_design

    designs = [load_design(name) for name in shipped("configs/designs", ".yaml")]
    if json:
        print_json([design.to_dict() for design in designs])
        return
    rows = [
        (
            design.name,
            f"{design.cores} x {design.core.matrix.kind}",
            show_unit(design.clock, "Hz"),
            show_unit(design.core.scratchpad.size, "B"),
            show_unit(design.memory.peak_bytes_per_s, "B/s"),
        )
        for design in designs
    ]
    print_table(["design", "cores", "clock", "scratchpad per core", "DRAM peak"], rows)


@app.command()
def show(name: Name, set_: Set = None, json: Json = False) -> None:
    """Every field of a design, in base units. Example: archsim design show edge-npu"""
    from archsim.cli.output import parse_settings, print_json, print_table
    from archsim.design import load_design

    tree = load_design(name, parse_settings(set_ or [])).to_dict()
    if json:
        print_json(tree)
    else:
        print_table(["field", "value"], [(key, str(value)) for key, value in _flat(tree)])


@app.command()
def check(name: Name, set_: Set = None) -> None:
    """Check a design and its instruction set. Example: archsim design check my-npu.yaml"""
    from archsim.cli.output import parse_settings
    from archsim.design import load_design
    from archsim.isa.load import load_isa
    from archsim.machine.dram_channels import controllers_of

    design = load_design(name, parse_settings(set_ or []))
    controllers_of(design)
    isa = load_isa(*design.isa, parameters=design.parameters)
    print(f"{design.name}: no error; {len(isa.instructions)} instructions")


def _flat(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(tree, dict):
        return [(prefix, tree)]
    return [pair for key, value in tree.items() for pair in _flat(value, f"{prefix}.{key}" if prefix else str(key))]
