"""Functions that read and write elements of views whose type a CSR selects: one pair for all instructions."""

from __future__ import annotations

from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.spec import State

_CONVERT = {"int": "np.int64", "f32": "np.float32"}


def access_source(view: State) -> str:
    """Source of ``get_view_NAME(ctx, address, k, selector)`` and ``put_view_NAME(ctx, address, k, selector, value)``.

    `address` is the host address of a row. An element whose type is none raises illegal instruction.
    """
    convert = _CONVERT[view.value]
    get = [f"def get_view_{view.name}(ctx, address, k, selector):"]
    put = [f"def put_view_{view.name}(ctx, address, k, selector, value):"]
    for number, kind in enumerate(view.types):
        if kind is None:
            continue
        facts = ELEMENT_TYPES[kind]
        pointer = f"pointer_{facts.carrier}(address)"
        places = {"p": pointer, "row": "0", "k": "k"} if facts.packed else {"e": f"{pointer}[k]"}
        read = facts.read.format(**places)
        value = "rint(value)" if view.value == "f32" and facts.value == "int" else "value"
        write = facts.write.format(**places, value=value)
        get += [f"    if selector == {number}:", f"        return {convert}({read})"]
        put += [f"    if selector == {number}:", f"        {write}"]
        put += ["        return np.int64(0)"]
    get += [f"    return {convert}(unselected(ctx))"]
    put += ["    return unselected(ctx)"]
    return "\n".join(["from archsim.machine.jit import njit", "", "", "@njit", *get, "", "", "@njit", *put]) + "\n"
