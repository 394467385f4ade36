"""Loss of a model on a text, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path

import numpy as np

from archsim.accuracy.llama import Llama, Numerics, batches
from archsim.common.errors import InputError

WINDOW = 256
"""Tokens of a sequence; the first is not predicted."""
CONFIDENCE = 1.96
"""Standard errors on either side of a mean that hold the true one with 95 % probability."""


def read_tokens(path: Path, vocab: int) -> np.ndarray:
    """Windows of a text: int64 [windows, WINDOW]; what is left over is dropped.

    Args:
        path: of a text, whose bytes are tokens; or of a .npy file of token numbers, for models of other vocabularies.

    Raises:
        InputError: it cannot be read, is shorter than two windows, or has tokens that the model does not.
    """
    try:
        tokens = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.frombuffer(path.read_bytes(), "u1")
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except ValueError:
        raise InputError("is no array of numpy", file=path, remedy="write it with numpy.save") from None
    if path.suffix != ".npy" and vocab != 256:
        remedy = "give a .npy file of token numbers, made with the model's tokenizer"
        raise InputError(f"bytes are no tokens of a vocabulary of {vocab}", file=path, remedy=remedy)
    if not np.issubdtype(tokens.dtype, np.integer):
        raise InputError(f"tokens are {tokens.dtype}", file=path, remedy="give whole numbers")
    windows = tokens.reshape(-1)[: tokens.size // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.int64)
    if len(windows) < 2:
        raise InputError(f"{tokens.size} tokens are too few", file=path, remedy=f"give {2 * WINDOW} or more")
    if windows.min() < 0 or windows.max() >= vocab:
        raise InputError(f"a token is out of the vocabulary of {vocab}", file=path, remedy="use the model's tokenizer")
    return windows


def window_losses(model: Llama, windows: np.ndarray, numerics: Numerics) -> np.ndarray:
    """Mean cross-entropy of the predicted tokens of each window, in nats: float64 [windows]."""
    losses = []
    for part in batches(windows):
        targets = part[:, 1:].ravel()
        logits = model.logits(part[:, :-1], numerics).astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(targets)), targets]
        losses.append(nats.reshape(len(part), -1).mean(1))
    return np.concatenate(losses)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities that logits [tokens, vocabulary] stand for."""
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def mean_divergence(wanted: np.ndarray, got: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence of some predictions from others, in nats per token.

    Args:
        wanted, got: logarithms of probabilities [tokens, vocabulary].
    """
    return float((np.exp(wanted) * (wanted - got)).sum(1, dtype=np.float64).mean())


@dataclass(frozen=True)
class Loss:
    """A mean over windows, with its standard error, both in nats per token.

    Errors take windows for independent; those of one source file are not quite.
    """

    mean: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """That holds the true mean with 95 % probability."""
        return self.mean - CONFIDENCE * self.error, self.mean + CONFIDENCE * self.error

    @property
    def perplexity(self) -> float:
        return exp(min(self.mean, 700))

    @property
    def bits(self) -> float:
        """In bits instead of nats."""
        return self.mean / log(2)


def mean_loss(losses: np.ndarray) -> Loss:
    """Of windows; of differences of windows, a paired difference."""
    return Loss(float(losses.mean()), float(losses.std(ddof=1)) / sqrt(len(losses)))
