"""Number formats, exactly: names, packing, quantisation."""

from typing import Any

from archsim.common.errors import InputError
from archsim.formats.format import Format, Packed
from archsim.formats.integer import IntegerFormat
from archsim.formats.names import parse_format
from archsim.formats.packing import pack_int4, unpack_int4

__all__ = ["Format", "IntegerFormat", "Packed", "pack_int4", "parse_format", "quantize", "unpack_int4"]


def quantize(weights: Any, name: str | Format) -> Packed:
    """Quantise a matrix.

    Args:
        weights: real [rows, columns]; taken as float32.
        name: a format, such as "int4-g128".

    Raises:
        InputError: the format is unknown, the weights are no finite matrix, or they do not fit the format.
    """
    if not isinstance(name, (str, Format)):
        raise InputError(f"a format is no {type(name).__name__}", remedy="give its name, such as 'int4-g128'")
    form = parse_format(name) if isinstance(name, str) else name
    return form.quantize(weights)
