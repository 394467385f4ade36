"""What else comes from an extension's YAML: a C header, documentation, a schema for editors."""

from __future__ import annotations

from archsim.isa.header import c_header
from archsim.isa.json_schema import json_schema
from archsim.isa.markdown import markdown

__all__ = ["c_header", "json_schema", "markdown"]
