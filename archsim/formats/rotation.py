"""Random rotations, by seed: uniformly distributed ones, and randomised Hadamard transforms."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

KINDS = ("hadamard", "haar")
_KEPT = 64


@lru_cache(_KEPT)
def rotation(size: int, kind: str, seed: int) -> np.ndarray:
    """An orthogonal matrix, float32 [size, size]; `x @ matrix.T` rotates rows, `y @ matrix` turns them back.

    Args:
        kind: "haar"; or "hadamard", which stands for "haar" where the size is no power of two.
    """
    if kind == "hadamard" and size.bit_count() == 1:
        matrix = randomised_hadamard(size, seed)
    else:
        matrix = haar(size, seed)
    matrix.flags.writeable = False
    return matrix


def haar(size: int, seed: int) -> np.ndarray:
    """A uniformly distributed orthogonal matrix, float32 [size, size].

    The Q of a Gaussian matrix, columns turned so that R has a positive diagonal (Mezzadri, How to generate random
    matrices from the classical compact groups, 2007, section 5).
    """
    q, r = np.linalg.qr(np.random.default_rng([seed, size]).standard_normal((size, size)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def randomised_hadamard(size: int, seed: int) -> np.ndarray:
    """Sylvester's Hadamard matrix over sqrt(size), with columns of random sign: float32 [size, size].

    Args:
        size: a power of two.
    """
    return hadamard(size) * random_signs(size, seed)


def random_signs(size: int, seed: int) -> np.ndarray:
    """float32 [size] of 1 and -1."""
    return np.random.default_rng([seed, size]).choice(np.array([-1, 1], np.float32), size)


def hadamard(size: int) -> np.ndarray:
    """Sylvester's Hadamard matrix over sqrt(size), orthogonal and symmetric: float32 [size, size].

    Args:
        size: a power of two.
    """
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return (matrix / np.sqrt(size)).astype(np.float32)
