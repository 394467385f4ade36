"""Number formats, exactly: names, packing, quantisation."""

from archsim.formats.integer import Packed, quantize
from archsim.formats.names import Format, parse_format
from archsim.formats.nibbles import pack_int4, unpack_int4

__all__ = ["Format", "Packed", "pack_int4", "parse_format", "quantize", "unpack_int4"]
