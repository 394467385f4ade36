"""Designs: what a chip is made of, read from YAML, validated, in base units."""

from archsim.design.load import load_design
from archsim.design.spec import Design

__all__ = ["Design", "load_design"]
