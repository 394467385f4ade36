"""A commented extension file to start from, in a place of the encoding space that others leave free."""

from __future__ import annotations

import re

from archsim.common.errors import InputError
from archsim.isa.space import opcode_of, room
from archsim.isa.spec import Isa

_NEEDED = 5
"""Values of funct7, one per instruction."""
_CSRS = range(0x800, 0x900)
"""Addresses that the privileged architecture (20240411, table 3) leaves to custom read-write CSRs of user mode."""

_TEXT = """\
# A starter, made by `archsim isa new {name}`: one instruction of each kind. Change what is there, and then
#   archsim isa lint {file}    finds overlapping encodings, and what is missing
#   archsim isa test {file}    executes the examples below
#   archsim isa export {file} --to markdown  documents it
#   archsim isa export {file} --to c-header  makes a C header for stock gcc and clang
# `archsim isa schema` describes every key, for editors. Encodings: {opcode}, funct3 {funct3}; nothing of
# {beside} is there.
extension: {name}
long_name: What it is for
version: 0.1.0
source: the document that specifies it
requires: [I, Zicsr]

# Numbers that a design may set.
parameters:
  {NAME}_N: {{default: 16, minimum: 4, maximum: 256, power_of_two: true, description: elements of a register}}

# Registers and CSRs. A view shows the bytes of a file as another type.
state:
  {prefix}r: {{kind: register_file, count: 4, type: int8, shape: [{NAME}_N], description: small numbers}}
  {prefix}a: {{kind: register_file, count: 2, type: int32, shape: [1], description: accumulators}}
  {prefix}len: {{kind: csr, address: {csr:#x}, maximum: {NAME}_N, description: elements in use}}

# Operands that instructions share: bits of the encoding, and the register file that they select from.
formats:
  {name}XXX:
    variables:
      xd: {{location: 11-7, register: X}}
      xs1: {{location: 19-15, register: X}}
      xs2: {{location: 24-20, register: X}}
  {name}RX:
    variables:
      {prefix}d: {{location: 8-7, register: {prefix}r}}
      xs1: {{location: 19-15, register: X}}

instructions:
  # An integer instruction: the hart's own pipeline executes it, in as many cycles as the design gives its unit.
  {prefix}.clip:
    long_name: Limit to a range about zero
    description: the nearest number to xs1 that is not beyond xs2 in magnitude
    format: {name}XXX
    encoding: {{match: "{funct7[0]}----------{bits3}-----{bits7}"}}
    assembly: xd, xs1, xs2
    unit: alu
    operation: |
      X[xd] = min(max(X[xs1], -X[xs2]), X[xs2])
    examples:
      - {{name: inside, operands: {{xd: a0, xs1: a1, xs2: a2}}, before: {{a1: -3, a2: 5}}, after: {{a0: -3}}}}
      - {{name: below, operands: {{xd: a0, xs1: a1, xs2: a2}}, before: {{a1: -7, a2: 5}}, after: {{a0: -5}}}}

  # One that sets a CSR. What is written is limited to the CSR's maximum, so that loops over it have a bound.
  {prefix}.setlen:
    long_name: Set the elements in use
    description: returns what was granted
    encoding:
      match: "{funct7[1]}00000-----{bits3}-----{bits7}"
      variables:
        - {{name: xd, location: 11-7, register: X}}
        - {{name: xs1, location: 19-15, register: X}}
    assembly: xd, xs1
    unit: csr
    operation: |
      {prefix}len = X[xs1]
      X[xd] = {prefix}len
    examples:
      - {{name: granted, operands: {{xd: a0, xs1: a1}}, before: {{a1: 3}}, after: {{a0: 3, {prefix}len: 3}}}}
      - name: too many
        operands: {{xd: a0, xs1: a1}}
        before: {{a1: 1000}}
        after: {{a0: {NAME}_N, {prefix}len: {NAME}_N}}

  # A load and a store: `memory` tells timing which bytes move, without executing the operation.
  {prefix}.ld:
    long_name: Load small numbers
    description: as many as are in use, from consecutive bytes of the scratchpad
    format: {name}RX
    encoding: {{match: "{funct7[2]}00000-----{bits3}000--{bits7}"}}
    assembly: {prefix}d, (xs1)
    unit: tile_lsu
    memory:
      - {{access: read, address: "X[xs1]", rows: 1, row_bytes: {prefix}len, stride: 0}}
    operation: |
      for i in range({prefix}len):
          {prefix}r[{prefix}d, i] = load_i8(X[xs1] + i)
    examples:
      - name: three
        operands: {{{prefix}d: {prefix}r1, xs1: a0}}
        before: {{{prefix}len: 3, a0: scratchpad + 64, memory: {{scratchpad + 64: [1, 2, 255, 9]}}}}
        after: {{{prefix}r1: [1, 2, -1]}}

  {prefix}.st:
    long_name: Store small numbers
    description: as many as are in use, to consecutive bytes of the scratchpad
    format: {name}RX
    encoding: {{match: "{funct7[3]}00000-----{bits3}000--{bits7}"}}
    assembly: {prefix}d, (xs1)
    unit: tile_lsu
    memory:
      - {{access: write, address: "X[xs1]", rows: 1, row_bytes: {prefix}len, stride: 0}}
    operation: |
      for i in range({prefix}len):
          store_8(X[xs1] + i, {prefix}r[{prefix}d, i])
    examples:
      - name: two
        operands: {{{prefix}d: {prefix}r1, xs1: a0}}
        before: {{{prefix}len: 2, a0: scratchpad, {prefix}r1: [5, -1, 7]}}
        after: {{memory: {{scratchpad: [5, 255]}}}}

  # Arithmetic on a unit of its own: `work` is what time and energy follow from.
  {prefix}.dot:
    long_name: Dot product, accumulated
    description: of the elements in use, modulo 2**32
    encoding:
      match: "{funct7[4]}000--000--{bits3}0000-{bits7}"
      variables:
        - {{name: {prefix}ad, location: 7-7, register: {prefix}a}}
        - {{name: {prefix}s1, location: 16-15, register: {prefix}r}}
        - {{name: {prefix}s2, location: 21-20, register: {prefix}r}}
    assembly: {prefix}ad, {prefix}s1, {prefix}s2
    unit: vector
    work: {{elements: {prefix}len, bits: 8, class: alu}}
    operation: |
      total = {prefix}a[{prefix}ad, 0]
      for i in range({prefix}len):
          total += {prefix}r[{prefix}s1, i] * {prefix}r[{prefix}s2, i]
      {prefix}a[{prefix}ad, 0] = total
    examples:
      - name: three of four
        operands: {{{prefix}ad: {prefix}a1, {prefix}s1: {prefix}r0, {prefix}s2: {prefix}r2}}
        before: {{{prefix}len: 3, {prefix}r0: [1, 2, -3, 4], {prefix}r2: [10, 20, 30, 40], {prefix}a1: [1000]}}
        after: {{{prefix}a1: [960]}}
      - name: an accumulator wraps around
        parameters: {{{NAME}_N: 4}}
        operands: {{{prefix}ad: {prefix}a0, {prefix}s1: {prefix}r0, {prefix}s2: {prefix}r0}}
        before: {{{prefix}len: 1, {prefix}r0: [1], {prefix}a0: [0x7fffffff]}}
        after: {{{prefix}a0: [-0x80000000]}}
"""


def starter(name: str, opcode: str, isa: Isa) -> str:
    """The text of a new extension file.

    Args:
        name: of the extension, such as Xdot.
        opcode: name of a major opcode, such as custom-0.
        isa: what it is to be loaded beside.

    Raises:
        InputError: the name does not do, or the opcode has no room.
    """
    if not re.fullmatch(r"X[a-z][a-z0-9]*", name):
        raise InputError(f"{name!r} is no name of a custom extension", remedy="use X and small letters, as in Xdot")
    if name in isa.extensions:
        raise InputError(f"extension {name} is there already", remedy="use another name")
    funct3, funct7 = _place(isa, opcode)
    taken = set(isa.csr_names)
    address = next((number for number in _CSRS if number not in taken), None)
    if address is None:
        raise InputError("no custom CSR address is free", remedy="load fewer extensions beside it")
    prefix = name.lower()
    return _TEXT.format(
        name=name, NAME=name.upper(), prefix=prefix, file=f"{prefix}.yaml", opcode=opcode, funct3=f"{funct3:03b}",
        bits3=f"{funct3:03b}", bits7=f"{opcode_of(opcode):07b}", funct7=[f"{value:07b}" for value in funct7],
        csr=address, beside=", ".join(isa.extensions),
    )  # fmt: skip


def _place(isa: Isa, opcode: str) -> tuple[int, tuple[int, ...]]:
    """A value of funct3, and values of funct7 that are free under it."""
    left = room(isa.instructions.values(), opcode_of(opcode))
    if left.funct3:
        return left.funct3[0], tuple(range(_NEEDED))
    for funct3, free in left.funct7.items():
        if len(free) >= _NEEDED:
            return funct3, free[:_NEEDED]
    raise InputError(
        f"{left.name} has no room for {_NEEDED} instructions beside {', '.join(isa.extensions)}",
        remedy="use another opcode, or load fewer",
    )
