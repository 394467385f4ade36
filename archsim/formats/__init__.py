"""Number formats, exactly: names, packing, quantisation."""

from archsim.formats.integer import Packed, pack_int4, quantize, unpack_int4
from archsim.formats.names import Format, parse_format

__all__ = ["Format", "Packed", "pack_int4", "parse_format", "quantize", "unpack_int4"]
