"""What there is to know of a transformer: its sizes, and which of the usual choices it made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """What a vision transformer sees: `patches` squares of `side` x `side` pixels of so many `channels`."""

    patches: int
    side: int
    channels: int

    @property
    def features(self) -> int:
        """Numbers of a patch."""
        return self.side * self.side * self.channels


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of a transformer. The defaults are Llama's choices.

    Attributes:
        hidden: features of the residual stream.
        layers: of the decoder; of the encoder where there is one.
        ffn: features inside the feed-forward.
        max_positions: tokens the model is made for.
        rope_theta, rope_type: base of the rotary angles, and how they are scaled ("default": not at all, "llama3",
            ...); they change angles, not ops.
        norm_eps: norms add it to the mean square, or to the variance.
        tied: the head is the embedding table.
        fused: checkpoints hold q, k and v as one matrix, and gate and up as another.
        window: keys that sliding-window attention looks back on, or None for all.
        role: "decoder"; "encoder" (each token sees all); or "encoder_decoder".
        decoder_layers: of an encoder_decoder, behind its `layers` of the encoder.
        norm: "rms" (Zhang and Sennrich, 2019), or "layer" (Ba et al., 2016), which has a bias, too.
        order: "pre" (norms before attention and feed-forward), "post" (behind their residual sums), or "parallel" (one
            norm, and both work on it).
        activation: of the feed-forward: "silu", "gelu_tanh", "gelu_erf" or "relu".
        gated: the feed-forward multiplies two products (Shazeer, 2020).
        positions: "rotary", "learned" (a table, added to the embedding), or "relative" (a bias of the scores).
        rotary_dim: features of a head that rotary positions turn; None: all.
        biases: parts whose products add one, of "qkv", "out", "ffn" and "head".
        embed_scale: what embeddings are multiplied by.
        scaled: scores are divided by sqrt(head_dim).
        experts, top_k: of a mixture: how many, and how many of them a token takes; 0 of a plain feed-forward.
        token_types: rows of the table of segments that is added to the embedding.
        buckets: distances that relative positions tell apart.
        bucket_distance: from which on relative positions are all one.
        image: what a vision transformer sees instead of tokens; its `vocab` are labels.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    max_positions: int
    rope_theta: float = 10000.0
    norm_eps: float = 1e-6
    tied: bool = False
    window: int | None = None
    rope_type: str = "default"
    fused: bool = False
    role: str = "decoder"
    decoder_layers: int = 0
    norm: str = "rms"
    order: str = "pre"
    activation: str = "silu"
    gated: bool = True
    positions: str = "rotary"
    rotary_dim: int | None = None
    biases: tuple[str, ...] = ()
    embed_scale: float = 1.0
    scaled: bool = True
    experts: int = 0
    top_k: int = 0
    token_types: int = 0
    buckets: int = 0
    bucket_distance: int = 0
    image: Image | None = None

    @property
    def is_llama(self) -> bool:
        """Whether it computes as Llama does, whatever its sizes."""
        plain = (self.norm, self.order, self.activation, self.gated, self.positions, self.biases)
        same = plain == ("rms", "pre", "silu", True, "rotary", ()) and self.rotary_dim is None
        return same and self.role == "decoder" and not self.experts and self.embed_scale == 1

    @property
    def cached_layers(self) -> int:
        """Layers that cache keys and values of tokens generated before."""
        return self.decoder_layers or self.layers

    @property
    def layer_parameters(self) -> int:
        """Parameters of one layer (the encoder's, where there are two kinds)."""
        from archsim.models.parameters import layer_parameters

        return sum(part.elements for part in layer_parameters(self))

    @property
    def parameters(self) -> int:
        """All parameters."""
        from archsim.models.parameters import parameters

        return sum(part.elements for part in parameters(self))
