"""A mixture of experts: a router picks experts for each token, which work on copies of their tokens' rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archsim.common.errors import InputError
from archsim.models.blocks import Blocks
from archsim.models.config import TransformerConfig
from archsim.models.graph import Op, Tensor, array
from archsim.models.matrices import ROUTER


def check_shares(shares: Sequence[float], config: TransformerConfig) -> None:
    """Refuse shares that are not for a model.

    Raises:
        InputError: their number is wrong, one is below 0, or all are 0.
    """
    if not config.experts:
        raise InputError("routing is for mixtures of experts", remedy="leave it out")
    if len(shares) != config.experts:
        raise InputError(f"routing has {len(shares)} shares", remedy=f"give one for each of {config.experts} experts")
    if not all(0 <= share < 1e300 for share in shares) or not sum(shares):
        raise InputError("routing has a share that is no number from 0 on, or only zeros", remedy="correct it")


def expert_rows(tokens: int, config: TransformerConfig, shares: Sequence[float] | None) -> list[int]:
    """Rows that each expert works on: by its share of all tokens x top_k, and no more than there are tokens.

    What that leaves over, the others share equally.

    Args:
        shares: of the experts, in any unit; None: equal ones.
    """
    experts, total = config.experts, tokens * config.top_k
    parts = [1.0] * experts if shares is None else list(shares)
    wanted = [total * part / sum(parts) for part in parts]
    rows = [min(tokens, int(one)) for one in wanted]
    while left := total - sum(rows):
        # those that are furthest below their share come first
        open_ = sorted((e for e in range(experts) if rows[e] < tokens), key=lambda e: rows[e] - wanted[e])
        each = max(1, left // len(open_))
        for expert in open_[:left]:
            rows[expert] += min(each, tokens - rows[expert])
    return rows


@dataclass(frozen=True)
class ExpertBlocks(Blocks):
    """Blocks whose feed-forward is a mixture.

    Attributes:
        shares: of tokens by expert; None: equal ones.
    """

    shares: tuple[float, ...] | None = None

    def feed_forward(self, layer: int, source: str) -> Iterator[Op]:
        """Route; then for each expert that has rows: gather, feed-forward, scatter into x."""
        c = self.config
        (form,) = self.formats(layer, ROUTER)
        yield self.matmul("router", source, self.rows, c.hidden, c.experts, form)
        counts = expert_rows(self.rows, c, self.shares)
        logits, slots, gates = self._routes()
        sizes = {"rows": self.rows, "experts": c.experts, "top_k": c.top_k}
        counted = {f"rows_{expert}": count for expert, count in enumerate(counts)}
        yield Op("route", "route", sizes | counted, (logits,), (slots, gates))
        first = 0
        for expert, count in enumerate(counts):
            if count:
                yield from self._expert(layer, expert, source, count, first)
            first += count

    def _routes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Logits; places of a token and one of its experts in the list of all, by expert; what it counts there."""
        c = self.config
        return (
            self.floats("router", c.experts),
            array("route.slots", (self.rows * c.top_k,), "int32"),
            array("route.gates", (self.rows, c.top_k), "float32"),
        )

    def _expert(self, layer: int, expert: int, source: str, rows: int, first: int) -> Iterator[Op]:
        """The ops of an expert on rows `first`, ... of the list of all."""
        c, (_, slots, gates) = self.config, self._routes()
        own = replace(self, batch=rows, tokens=1)
        sizes = {"rows": rows, "features": c.hidden, "first": first, "top_k": c.top_k, "tokens": self.rows}
        inputs, name = (slots, *self.codes(source, self.rows, c.hidden)), f"gather.{expert}"
        yield Op(name, "gather", sizes, inputs, self.codes(name, rows, c.hidden))
        yield from own.inner(layer, name, expert)
        x, done = self.floats("x", c.hidden), own.floats(f"down.{expert}", c.hidden)
        yield Op(f"scatter.{expert}", "scatter", sizes, (x, done, slots, gates), (x,))
