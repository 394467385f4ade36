"""archsim isa: list, show, check, assemble, disassemble, export instruction sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Work on instruction sets.", no_args_is_help=True)
Names = Annotated[list[str], typer.Argument(help="Extensions: shipped names or YAML files.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
IsaNames = Annotated[list[str] | None, typer.Option("--isa", help="Extensions (default: rv64im zicsr zicntr xqt).")]
DEFAULT = ["rv64im", "zicsr", "zicntr", "xqt"]


def _load(names: list[str] | None) -> Any:
    from archsim.isa.load import load_isa

    return load_isa(*(names or DEFAULT))


@app.command("list")
def list_(json: Json = False) -> None:
    """What ships. Example: archsim isa list"""
    from archsim.cli.output import print_json, print_table
    from archsim.common.resources import shipped
    from archsim.common.yamlfile import load_yaml
    from archsim.isa.templates import expand_templates

    rows = []
    for name, path in shipped("isa", ".yaml").items():
        tree = load_yaml(path)
        count = len(expand_templates(tree["instructions"])) if "instructions" in tree else 0
        rows.append((name, str(tree.get("long_name", "")), str(count)))
    if json:
        print_json([{"name": n, "long_name": long, "instructions": int(count)} for n, long, count in rows])
    else:
        print_table(["extension", "what", "instructions"], rows)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A mnemonic.")], isa: IsaNames = None, json: Json = False) -> None:
    """One instruction. Example: archsim isa show qt.mma"""
    from archsim.cli.output import print_json
    from archsim.common.errors import unknown

    loaded = _load(isa)
    if name not in loaded.instructions:
        raise unknown("instruction", name, loaded.instructions)
    found = loaded.instructions[name]
    facts = {
        "name": found.name,
        "long_name": found.long_name,
        "extension": found.extension,
        "match": found.match,
        "assembly": found.assembly,
        "unit": found.unit,
        "work": dict(found.work),
        "operation": _meaning(found),
        "file": str(found.file),
        "line": found.line,
    }
    if json:
        print_json(facts)
        return
    print(f"{found.name} {found.assembly}  -  {found.long_name} ({found.extension}, {found.file}:{found.line})")
    print(f"  encoding {found.match}\n  unit {found.unit}, work {dict(found.work)}\n")
    print(facts["operation"])


def _meaning(instruction: Any) -> str:
    """The operation, or what stands for it."""
    if instruction.operation is not None:
        return str(instruction.operation.source)
    if instruction.expansion is None:
        return "(only the encoding is known)"
    given = [f"{name} = {value}" for name, value in instruction.expansion.operands.items()]
    return f"{instruction.expansion.mnemonic} with {', '.join(given)}"


@app.command()
def check(names: Names) -> None:
    """Check extensions: format, encodings, operations. Example: archsim isa check rv64im my_extension.yaml"""
    from archsim.isa.operation import check_operation

    loaded = _load(names)
    for instruction in loaded.instructions.values():
        if instruction.operation is not None:
            check_operation(instruction, loaded.state_of(instruction), loaded.parameters_of(instruction))
    print(f"{len(loaded.extensions)} extensions, {len(loaded.instructions)} instructions: no error")


@app.command()
def asm(source: Annotated[Path, typer.Argument(help="Assembly source.")], isa: IsaNames = None) -> None:
    """Assemble and list addresses and words. Example: archsim isa asm dot.s"""
    from archsim.cli.run import load_program

    for segment in load_program(source, _load(isa)).segments:
        if segment.executable:
            for offset in range(0, len(segment.data), 4):
                print(
                    f"{segment.address + offset:8x}: {int.from_bytes(segment.data[offset : offset + 4], 'little'):08x}"
                )


@app.command()
def disasm(program: Annotated[Path, typer.Argument(help="ELF or assembly file.")], isa: IsaNames = None) -> None:
    """Disassemble a program as GNU objdump does. Example: archsim isa disasm prog.elf"""
    from archsim.cli.run import assembled, elf_program
    from archsim.isa.listing import listing
    from archsim.isa.load import load_isa
    from archsim.machine.instruction_set import standard_name

    content = elf_program(program)
    if content is None:
        loaded = _load(isa)
        content = assembled(program, loaded)
    else:
        loaded = load_isa(standard_name(content.xlen), *(isa or (["xqt"] if content.xlen == 64 else [])))
    print(f"\n{program}:     file format elf{content.xlen}-littleriscv")
    for line in listing(loaded, content):
        print(line)
