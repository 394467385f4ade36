"""Compiled loops that call one compiled function on arrays of operands."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from archsim.machine.jit import njit
from archsim.machine.layout import CONTEXT_SIZE, FFLAGS, VXSAT

Array = np.ndarray
Answers = tuple[Array, Array]
"""Results and flags, int64 [n] each."""
FUZZ = bool(os.environ.get("ARCHSIM_FUZZ"))


@njit
def _rounded_1(function, ctx, slot, width, rm, a, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, a[i], rm[i])
        flags[i] = ctx[slot]


@njit
def _rounded_2(function, ctx, slot, width, rm, a, b, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, a[i], b[i], rm[i])
        flags[i] = ctx[slot]


@njit
def _rounded_3(function, ctx, slot, width, rm, a, b, c, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, a[i], b[i], c[i], rm[i])
        flags[i] = ctx[slot]


_ROUNDED = {1: _rounded_1, 2: _rounded_2, 3: _rounded_3}


def rounded(function: Callable[..., int], width: int, rm: Array, *operands: Array) -> Answers:
    """function(ctx, width, *operands, rm) for every row, with the exception flags that it raises."""
    return _run(_ROUNDED[len(operands)], function, FFLAGS, np.int64(width), rm, *operands)


@njit
def _compared(function, ctx, slot, width, a, b, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, a[i], b[i])
        flags[i] = ctx[slot]


def compared(function: Callable[..., int], width: int, a: Array, b: Array) -> Answers:
    """function(ctx, width, a, b) for every row."""
    return _run(_compared, function, FFLAGS, np.int64(width), a, b)


@njit
def _estimated(function, ctx, slot, width, a, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, a[i])
        flags[i] = ctx[slot]


def estimated(function: Callable[..., int], width: int, a: Array) -> Answers:
    """function(ctx, width, a) for every row."""
    return _run(_estimated, function, FFLAGS, np.int64(width), a)


@njit
def _with_two(function, ctx, slot, width, one, two, rm, a, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, a[i], rm[i], one, two)
        flags[i] = ctx[slot]


def to_integers(function: Callable[..., int], width: int, bits: int, signed: int, rm: Array, a: Array) -> Answers:
    """function(ctx, width, a, rm, bits, signed) for every row."""
    return _run(_with_two, function, FFLAGS, np.int64(width), np.int64(bits), np.int64(signed), rm, a)


@njit
def _with_one(function, ctx, slot, width, one, rm, a, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, a[i], rm[i], one)
        flags[i] = ctx[slot]


def with_choice(function: Callable[..., int], width: int, choice: int, rm: Array, a: Array) -> Answers:
    """function(ctx, width, a, rm, choice) for every row."""
    return _run(_with_one, function, FFLAGS, np.int64(width), np.int64(choice), rm, a)


@njit
def _converted(function, ctx, slot, width, to, rm, a, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, width, to, a[i], rm[i])
        flags[i] = ctx[slot]


def converted(function: Callable[..., int], width: int, to: int, rm: Array, a: Array) -> Answers:
    """function(ctx, width, to, a, rm) for every row."""
    return _run(_converted, function, FFLAGS, np.int64(width), np.int64(to), rm, a)


@njit
def _saturating(function, ctx, slot, bits, a, b, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, a[i], b[i], bits)
        flags[i] = ctx[slot]


def saturating(function: Callable[..., int], bits: int, a: Array, b: Array) -> Answers:
    """function(ctx, a, b, bits) for every row, with vxsat."""
    return _run(_saturating, function, VXSAT, np.int64(bits), a, b)


@njit
def _scaling(function, ctx, slot, bits, vxrm, a, b, results, flags):
    for i in range(len(a)):
        ctx[slot] = 0
        results[i] = function(ctx, a[i], b[i], bits, vxrm[i])
        flags[i] = ctx[slot]


def scaling(function: Callable[..., int], bits: int, vxrm: Array, a: Array, b: Array) -> Answers:
    """function(ctx, a, b, bits, vxrm) for every row, with vxsat."""
    return _run(_scaling, function, VXSAT, np.int64(bits), vxrm, a, b)


@njit
def _averaging(function, ctx, slot, bits, vxrm, a, b, results, flags):
    for i in range(len(a)):
        results[i] = function(a[i], b[i], bits, vxrm[i])
        flags[i] = 0


def averaging(function: Callable[..., int], bits: int, vxrm: Array, a: Array, b: Array) -> Answers:
    """function(a, b, bits, vxrm) for every row."""
    return _run(_averaging, function, VXSAT, np.int64(bits), vxrm, a, b)


@njit
def _shifting(function, ctx, slot, vxrm, a, b, results, flags):
    for i in range(len(a)):
        results[i] = function(a[i], b[i], vxrm[i])
        flags[i] = 0


def shifting(function: Callable[..., int], vxrm: Array, a: Array, shift: Array) -> Answers:
    """function(a, shift, vxrm) for every row."""
    return _run(_shifting, function, VXSAT, vxrm, a, shift)


def _run(loop: Callable[..., None], function: Callable[..., int], slot: int, *arguments: Array | np.int64) -> Answers:
    count = max(len(argument) for argument in arguments if isinstance(argument, np.ndarray))
    results, flags = np.zeros(count, np.int64), np.zeros(count, np.int64)
    loop(function, np.zeros(CONTEXT_SIZE, np.int64), np.int64(slot), *arguments, results, flags)
    return results, flags
