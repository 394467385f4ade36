"""The ladder: formats and methods side by side on one model, and whether what is published about them holds on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from archsim.accuracy.loss import Loss, mean_loss
from archsim.accuracy.measure import Experiment, Measurement, Setting

_PLAIN = """
    int8-channel int8-g64 q8_0 mxint8 fp8-e4m3 mxfp8-e4m3 mxfp8-e5m2
    mxfp6-e2m3 mxfp6-e3m2 q6_k q5_0 q5_1 q5_k
    int4-g64 int4-g64-clip int4-g64-asym nf4-g64 codebook4-g64 mxfp4 nvfp4 q4_0 q4_1 iq4_nl q4_k turboquant-4
    int3-g64 int3-g64-asym codebook3-g64 q3_k turboquant-3
    int2-g64 int2-g64-asym codebook2-g64 q2_k turboquant-2 ternary-g64 tq1_0 turboquant-1 binary-g64
"""
_CACHE = """
    int8 int4 int3 int2 int8-asym int4-asym int3-asym int2-asym
    int8-channel int4-channel int3-channel int2-channel
    int4-channel-asym,int4-asym int2-channel-asym,int2-asym
"""
_LOW = ("int4-g64-asym", "int3-g64-asym", "int2-g64-asym")
_TRAINED = ("int4-channel", "int3-channel", "int2-channel")
_TURBOQUANT_BITS = ("2", "2.5", "3", "3.5", "4")
_TURBOQUANT_ENDINGS = ("", "-nc", "-ip", "-ip-orthogonal")

WEIGHTS = [Setting(name) for name in _PLAIN.split()]
WEIGHTS += [Setting(name, method=m) for name in _LOW for m in ("gptq", "awq", "awq+gptq", "hadamard+gptq")]
WEIGHTS += [Setting(name, method=m) for name in _TRAINED for m in ("rtn", "gptq", "lsq")]
ACTIVATIONS = [
    Setting(activations=name, method=method)
    for name in ("int8", "int4")
    for method in ("rtn", "smoothquant", "llm-int8", "hadamard")
]
BOTH = [
    Setting("int4-channel", "int4", method=method) for method in ("rtn", "gptq", "hadamard+gptq", "lsq", "hadamard+lsq")
]
BOTH += [Setting("int4-channel", "int4-tensor", method=method) for method in ("rtn", "lsq")]
"""Weights and activations of four bits, scales per token or learned per tensor."""
CACHE = [Setting(kv=name) for name in _CACHE.split()]
CACHE += [Setting(kv=f"turboquant-{bits}{end}") for end in _TURBOQUANT_ENDINGS for bits in _TURBOQUANT_BITS]


class Claim(NamedTuple):
    """Something published: that one setting is better than another, or no worse."""

    text: str
    setting: Setting
    than: Setting
    strictly: bool


class Verdict(NamedTuple):
    """A claim on this model.

    Attributes:
        difference: of the losses, window by window: negative is better.
        outcome: "holds" or "contradicted"; "open" where better was claimed, and the difference may be chance.
    """

    claim: Claim
    difference: Loss
    outcome: str


def _claims() -> list[Claim]:
    claims = []
    for method in ("gptq", "awq"):
        for name in _LOW[:2]:
            text = f"{method.upper()} is no worse than rounding to nearest, {name}"
            claims.append(Claim(text, Setting(name, method=method), Setting(name), False))
    turned = Setting(activations="int4", method="hadamard")
    claims.append(Claim("a Hadamard rotation helps activations of 4 bits", turned, Setting(activations="int4"), True))
    for bits in ("2", "3"):
        for other in (f"int{bits}", f"int{bits}-asym"):
            text = f"TurboQuant of {bits} bits is better than {other} per token"
            claims.append(Claim(text, Setting(kv=f"turboquant-{bits}"), Setting(kv=other), True))
    for bits in ("2.5", "3.5"):
        text = f"TurboQuant of {bits} bits is no worse than float16"
        claims.append(Claim(text, Setting(kv=f"turboquant-{bits}"), Setting(), False))
    for bits in ("3", "4"):
        text = f"TurboQuant of {bits} bits is better without QJL than with it"
        claims.append(Claim(text, Setting(kv=f"turboquant-{bits}"), Setting(kv=f"turboquant-{bits}-ip"), True))
    keys = Setting(kv="int2-channel-asym,int2-asym")
    claims.append(Claim("keys of 2 bits are better per channel than per token", keys, Setting(kv="int2-asym"), True))
    for better, worse in (("nf4-g64", "int4-g64"), ("nvfp4", "mxfp4"), ("q4_k", "q4_0")):
        claims.append(Claim(f"{better} is better than {worse}", Setting(better), Setting(worse), True))
    for name in _TRAINED[1:]:
        trained, rounded = (Setting(name, method=method) for method in ("lsq", "gptq"))
        claims.append(Claim(f"training with LSQ is better than GPTQ, {name}", trained, rounded, True))
    return claims


CLAIMS = _claims()
"""Of Frantar et al. (GPTQ), Lin et al. (AWQ), Ashkboos et al. (QuaRot), Zandieh et al. (TurboQuant: neutral at 3.5
bits, little lost at 2.5), of those who use TurboQuant in other programs (QJL), Liu et al. (KIVI, 2024), Dettmers et al.
(QLoRA, 2023), NVIDIA (2025), llama.cpp (k-quants), Liu et al. (LLM-QAT, 2023)."""
_HELPERS = {"SmoothQuant": "smoothquant", "LLM.int8()": "llm-int8", "a Hadamard rotation": "hadamard"}
OUTLIER_CLAIMS = [
    Claim(f"{name} helps activations of 8 bits", Setting("fp16", "int8", method=method), Setting("fp16", "int8"), True)
    for name, method in _HELPERS.items()
]
"""Of a model with outlier channels."""


def climb(
    experiment: Experiment, settings: list[Setting], say: Callable[[int, int, str], None]
) -> dict[Setting, Measurement]:
    """Measure settings, full precision first; `say` hears how many are done, of how many, and which is next."""
    all_settings = [Setting(), *settings]
    measured = {}
    for done, setting in enumerate(all_settings):
        say(done, len(all_settings), " ".join(setting))
        measured[setting] = experiment.measure(setting)
    return measured


def judge(measured: Mapping[Setting, Measurement], claims: list[Claim]) -> list[Verdict]:
    """Whether claims hold, with 95 % confidence."""
    verdicts = []
    for claim in claims:
        difference = mean_loss(measured[claim.setting].losses - measured[claim.than].losses)
        low, high = difference.interval
        if low > 0:
            outcome = "contradicted"
        else:
            outcome = "open" if claim.strictly and high >= 0 else "holds"
        verdicts.append(Verdict(claim, difference, outcome))
    return verdicts
