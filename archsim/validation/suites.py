"""The suites that there are."""

from __future__ import annotations

from archsim.common.errors import unknown
from archsim.validation.suite import Suite


def _load(name: str) -> Suite:
    from importlib import import_module

    suite: Suite = import_module(f"archsim.validation.{name}").SUITE
    return suite


NAMES: tuple[str, ...] = ("systolic", "matrix", "scalar", "vector", "dram")
"""Each is a module of this package with a SUITE."""


def suite_of(name: str) -> Suite:
    """The suite of a name.

    Raises:
        InputError: there is none.
    """
    if name not in NAMES:
        raise unknown("suite", name, NAMES)
    return _load(name)
