"""Designs: what a chip is made of, read from YAML, validated, in base units."""

from archsim.design.docs import FieldDoc, field_docs, json_schema
from archsim.design.energy import EnergyTable, load_energy
from archsim.design.load import list_designs, load_design
from archsim.design.memory import MemoryDevice, load_device
from archsim.design.spec import Design

__all__ = [
    "Design",
    "EnergyTable",
    "FieldDoc",
    "MemoryDevice",
    "field_docs",
    "json_schema",
    "list_designs",
    "load_design",
    "load_device",
    "load_energy",
]
