"""What xqt's instructions do, in numpy: written from the text of the extension, not from its operations."""

from __future__ import annotations

from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

WEIGHTS = (
    "int8", "int4", "int3", "int2", "ternary", "sign", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn",
    "float6_e3m2fn", "cb4", "cb3", "cb2", "float16", "bfloat16",
)  # fmt: skip
ACTIVATIONS = ("int8", "float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float6_e3m2fn", "float4_e2m1fn")
BITS = {
    "int8": 8, "int4": 4, "int3": 3, "int2": 2, "sign": 1, "float8_e4m3fn": 8, "float8_e5m2": 8, "float4_e2m1fn": 4,
    "float6_e3m2fn": 6, "cb4": 4, "cb3": 3, "cb2": 2, "float16": 16, "bfloat16": 16, "ternary": 1.6,
}  # fmt: skip
INTEGERS = WEIGHTS[:6]
CODES = WEIGHTS[10:13]
LARGEST = {"int8": 127.0, "float8_e4m3fn": 448.0, "float8_e5m2": 57344.0, "float4_e2m1fn": 6.0, "float6_e3m2fn": 28.0}
EMAX = {"int8": 0, "float8_e4m3fn": 8, "float8_e5m2": 15, "float4_e2m1fn": 2, "float6_e3m2fn": 4}
F32, F64 = np.float32, np.float64
LOG2_E, EPS = F32(1.442695), F32(1e-5)


def kind(name: str) -> np.dtype:
    return np.dtype(name) if name in ("float16", "float32", "int8") else np.dtype(getattr(ml_dtypes, name))


def unpack(rows: np.ndarray, name: str) -> np.ndarray:
    """Elements of packed rows (uint8 [rows, bytes]): int64 for integers and codes, float32 for floats."""
    if name == "ternary":
        return (rows[:, :, None].astype(np.int64) // 3 ** np.arange(5) % 3 - 1).reshape(len(rows), -1)
    width = int(BITS[name])
    count = rows.shape[1] * 8 // width
    bits = np.unpackbits(rows, axis=1, bitorder="little")[:, : count * width].reshape(len(rows), count, width)
    codes = (bits.astype(np.int64) << np.arange(width)).sum(axis=2)
    if name.startswith(("float", "bfloat")):
        return codes.astype(f"u{kind(name).itemsize}").view(kind(name)).astype(F32)
    if name == "sign":
        return 2 * codes - 1
    return codes if name in CODES else codes - ((codes >> (width - 1)) << width)


def codes_of(values: np.ndarray, name: str) -> np.ndarray:
    """Bits of values in a format, rounded to nearest even (integers are taken as they are)."""
    if name.startswith(("float", "bfloat")):
        with np.errstate(all="ignore"):
            return values.astype(kind(name)).view(f"u{kind(name).itemsize}").astype(np.int64)
    if name == "sign":
        return (values > 0).astype(np.int64)
    return values.astype(np.int64) & (1 << int(BITS[name])) - 1


def pack(rows: np.ndarray, values: np.ndarray, name: str) -> None:
    """Write the first elements of packed rows in place."""
    count = values.shape[1]
    if name == "ternary":
        old = np.minimum(rows, 242)
        trits = unpack(old, name)
        trits[:, :count] = values
        packed = ((trits.reshape(len(rows), -1, 5) + 1) * 3 ** np.arange(5)).sum(axis=2)
        touched = -(-count // 5)
        rows[:, :touched] = packed[:, :touched]
        return
    width = int(BITS[name])
    bits = np.unpackbits(rows, axis=1, bitorder="little")
    new = codes_of(values, name)[:, :, None] >> np.arange(width) & 1
    bits[:, : count * width] = new.reshape(len(rows), -1)
    rows[:] = np.packbits(bits, axis=1, bitorder="little")


@dataclass
class Reference:
    """The state of xqt: tiles, accumulators, scales, codebooks, CSRs.

    Attributes:
        t: uint8 [8, rows, TROWB]. ac: int32 [4, TM, TN]. sc: uint16 [8, rows, 8]. cb: float32 [4, 16].
    """

    tm: int
    tn: int
    trowb: int
    m: int = 1
    n: int = 1
    k: int = 1
    wfmt: int = 0
    afmt: int = 0
    sfmt: int = 0
    glog2: int = 15
    sat: int = 0
    exp_scale: np.float32 = LOG2_E
    eps: np.float32 = EPS
    t: np.ndarray = field(init=False)
    ac: np.ndarray = field(init=False)
    sc: np.ndarray = field(init=False)
    cb: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rows = max(self.tm, self.tn)
        self.t = np.zeros((8, rows, self.trowb), np.uint8)
        self.ac = np.zeros((4, self.tm, self.tn), np.int32)
        self.sc = np.zeros((8, rows, 8), np.uint16)
        self.cb = np.zeros((4, 16), F32)

    # -- views

    @property
    def weight(self) -> str:
        return WEIGHTS[self.wfmt]

    @property
    def activation(self) -> str:
        return ACTIVATIONS[self.afmt]

    @property
    def acf(self) -> np.ndarray:
        return self.ac.view(F32)

    @property
    def statistics(self) -> np.ndarray:
        """float32 [8, rows], the first of each row of scales."""
        return self.sc.view(F32)[:, :, 0]

    def scales(self, number: int) -> np.ndarray:
        """float32 [rows, 8]."""
        return self.sc[number].view(ml_dtypes.bfloat16 if self.sfmt else np.float16).astype(F32)

    def a(self, number: int) -> np.ndarray:
        """Activations as float32 [m, k]."""
        return unpack(self.t[number, : self.m], self.activation)[:, : self.k].astype(F32)

    def w(self, number: int, name: str | None = None) -> np.ndarray:
        """Weights [n, k]: int64, or float32 where they are floats."""
        return unpack(self.t[number, : self.n], name or self.weight)[:, : self.k]

    def groups(self) -> list[slice]:
        size = 1 << self.glog2
        return [slice(g * size, min(g * size + size, self.k)) for g in range(min(max(-(-self.k // size), 1), 8))]

    # -- multiply

    def _dot(self, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Sums of float32 products from zero in rising k."""
        total = np.zeros((a.shape[0], w.shape[0]), F32)
        for k in range(a.shape[1]):
            total = total + a[:, k, None] * w[None, :, k]
        return total

    def _integers(self, name: str | None = None) -> bool:
        return self.afmt == 0 and (name or self.weight) in INTEGERS

    def mma(self, ad: int, ts1: int, ts2: int) -> None:
        block = np.s_[ad, : self.m, : self.n]
        w = self.w(ts2)
        if self._integers():
            exact = self.a(ts1).astype(np.int64) @ w.T
            self.ac[block] = (self.ac[block] + exact).astype(np.int32)
            return
        a, w = self.a(ts1), w.astype(F32)
        for k in range(self.k):
            self.acf[block] = self.acf[block] + a[:, k, None] * w[None, :, k]

    def _scaled(self, ad: int, ts1: int, w: np.ndarray, ss3: int, exact: bool, zeros: int | None = None) -> None:
        block = np.s_[ad, : self.m, : self.n]
        a, scales = self.a(ts1), self.scales(ss3)
        for g, part in enumerate(self.groups()):
            if exact:
                dot = (a[:, part].astype(np.int64) @ w[:, part].T.astype(np.int64)).astype(F32)
                row = a[:, part].astype(np.int64).sum(axis=1).astype(F32)
            else:
                dot = self._dot(a[:, part], w[:, part].astype(F32))
                row = self._dot(a[:, part], np.ones((1, a[:, part].shape[1]), F32))[:, 0]
            if zeros is not None:
                z = self.sc[zeros].view(np.float16).astype(F32)[: self.n, g]
                dot = dot - z[None] * row[:, None]
            self.acf[block] = self.acf[block] + dot * scales[None, : self.n, g]

    def mma_s(self, ad: int, ts1: int, ts2: int, ss3: int) -> None:
        self._scaled(ad, ts1, self.w(ts2), ss3, self._integers())

    def mma_sz(self, ad: int, ts1: int, ts2: int, ss3: int) -> None:
        self._scaled(ad, ts1, self.w(ts2), ss3, self._integers(), ss3 + 1)

    def mma_sgn(self, ad: int, ts1: int, ts2: int, ss3: int) -> None:
        self._scaled(ad, ts1, self.w(ts2, "sign"), ss3, self.afmt == 0)

    def mma_mx(self, ad: int, ts1: int, ts2: int, ss3: int) -> None:
        block = np.s_[ad, : self.m, : self.n]
        a, w = self.a(ts1), self.w(ts2).astype(F32)
        unit = (1 / 64 if self.afmt == 0 else 1.0) * (1 / 64 if self.wfmt == 0 else 1.0)
        e8m0 = self.sc.view(np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(F64)
        for g in range(min(-(-self.k // 32), 16)):
            part = slice(32 * g, min(32 * g + 32, self.k))
            both = e8m0[ss3 + 1, : self.m, g, None] * e8m0[ss3, None, : self.n, g] * unit
            dot = self._dot(a[:, part], w[:, part])
            self.acf[block] = self.acf[block] + (dot.astype(F64) * both).astype(F32)

    def mma_cb(self, ad: int, ts1: int, ts2: int, cs3: int) -> None:
        block = np.s_[ad, : self.m, : self.n]
        a, w = self.a(ts1), self.cb[cs3][self.w(ts2)]
        for k in range(self.k):
            self.acf[block] = self.acf[block] + a[:, k, None] * w[None, :, k]

    def mma_cbs(self, ad: int, ts1: int, ts2: int, ss3: int, cs4: int) -> None:
        self._scaled(ad, ts1, self.cb[cs4][self.w(ts2)], ss3, False)

    # -- conversions

    def _put(self, td: int, rows: int, values: np.ndarray, name: str) -> None:
        part = self.t[td, :rows].copy()
        pack(part, values, name)
        self.t[td, :rows] = part

    def _int8(self, td: int, values: np.ndarray) -> None:
        self.t[td, : values.shape[0], : values.shape[1]] = values.astype(np.int8).view(np.uint8)

    def unpk(self, td: int, ts1: int) -> None:
        self._int8(td, self.w(ts1))

    def pack(self, td: int, ts1: int) -> None:
        low, high = {"int8": (-128, 127), "int4": (-8, 7), "int3": (-4, 3), "int2": (-2, 1)}.get(self.weight, (-1, 1))
        codes = self.t[ts1, : self.m, : self.k].view(np.int8).astype(np.int64)
        self._put(td, self.m, np.clip(codes, low, high), self.weight)

    def deq(self, td: int, ts1: int, ss2: int) -> None:
        group = np.minimum(np.arange(self.k) >> self.glog2, 7)
        self._put(td, self.n, self.w(ts1).astype(F32) * self.scales(ss2)[: self.n, group], self.activation)

    def cblk(self, td: int, ts1: int, cs2: int) -> None:
        self._put(td, self.n, self.cb[cs2][self.w(ts1)], self.activation)

    def quant(self, td: int, as1: int, ss2: int) -> None:
        group = np.minimum(np.arange(self.n) >> self.glog2, 7)
        scale = self.sc[ss2].view(np.float16).astype(F32)[: self.m, group]
        product = self.ac[as1, : self.m, : self.n].astype(F32) * scale
        self._int8(td, nearest(product, -128, 127))

    def quant_d(self, td: int, ts1: int, sd2: int) -> None:
        a = self.a(ts1)
        codes = np.zeros(a.shape, np.int64)
        for g, part in enumerate(self.groups()):
            most = np.fmax.reduce(np.abs(a[:, part]), axis=1, initial=0).astype(F32)
            stored = (most / F32(127)).astype(ml_dtypes.bfloat16 if self.sfmt else np.float16)
            self.sc[sd2, : self.m, g] = stored.view(np.uint16)
            inverse = np.where(most > 0, F32(127) / np.where(most > 0, most, F32(1)), F32(0)).astype(F32)
            codes[:, part] = nearest(a[:, part] * inverse[:, None], -127, 127)
        kept = np.zeros(self.k, bool)
        for part in self.groups():
            kept[part] = True
        self.t[td, : self.m, : self.k][:, kept] = codes[:, kept].astype(np.int8).view(np.uint8)

    def quant_mx(self, td: int, ts1: int, sd2: int) -> None:
        a, name = self.a(ts1), self.weight
        out = np.zeros(a.shape, F32)
        bytes_ = self.sc.view(np.uint8).reshape(8, -1, 16)
        for g in range(min(-(-self.k // 32), 16)):
            part = slice(32 * g, min(32 * g + 32, self.k))
            # a NaN is larger than nothing
            most = np.where(np.isnan(a[:, part]), 0, np.abs(a[:, part])).max(axis=1, initial=0)
            exponent = np.where(most >= 2.0**-126, np.frexp(most)[1] - 1, -127)
            exponent = np.where(np.isinf(most), 128, exponent)
            code = np.clip(exponent + 127 - EMAX[name], 0, 254)
            bytes_[sd2, : self.m, g] = code
            scaled = np.ldexp(a[:, part].astype(F64), (127 - code)[:, None] + (6 if name == "int8" else 0)).astype(F32)
            out[:, part] = np.clip(scaled, -LARGEST[name], LARGEST[name])
        self._put(td, self.m, nearest(out, -127, 127) if name == "int8" else out, name)

    def quant_cb(self, td: int, ts1: int, cs2: int) -> None:
        book = self.cb[cs2][: 1 << int(BITS[self.weight])]
        middles = (book[:-1] + book[1:]) * F32(0.5)
        self._put(td, self.m, (self.a(ts1)[:, :, None] > middles).sum(axis=2), self.weight)

    def sgnpk(self, td: int, ts1: int) -> None:
        self._put(td, self.m, np.where(self.a(ts1) < 0, -1, 1), "sign")

    def had(self, td: int, ts1: int, imm: int) -> None:
        a, size = self.a(ts1), 1 << imm
        whole = self.k // size * size
        a[:, :whole] = hadamard(a[:, :whole].reshape(self.m, -1, size)).reshape(self.m, whole)
        self._put(td, self.m, a * F32(2.0 ** (-imm / 2)), self.activation)

    def hads(self, td: int, ts1: int, ts2: int) -> None:
        signs = unpack(self.t[ts2, : self.m], "sign")[:, : self.k].astype(F32)
        turned = hadamard((self.a(ts1) * signs)[:, None])[:, 0]
        self._put(td, self.m, turned * F32(2.0 ** (-np.log2(self.k) / 2)), self.activation)

    def trw(self, td: int, ts1: int, imm: int) -> None:
        source = unpack(self.t[ts1, : self.k], self.weight)
        self._put(td, self.n, source[:, imm * self.n : imm * self.n + self.n].T.copy(), self.weight)

    # -- rows of accumulators

    def rmax(self, sd: int, as1: int, ss2: int) -> None:
        best = self.statistics[ss2, : self.m].copy()
        for j in range(self.n):
            value = self.acf[as1, : self.m, j]
            best = np.where(value > best, value, best)
        self.statistics[sd, : self.m] = best

    def expm(self, td: int, as1: int, ss2: int) -> None:
        power = (self.acf[as1, : self.m, : self.n] - self.statistics[ss2, : self.m, None]) * self.exp_scale
        p = np.exp2(power.astype(F64)).astype(F32)
        if self.afmt == 0:
            self._int8(td, nearest(p * F32(127), -(2**63), 2**63 - 1))
        else:
            self._put(td, self.m, p, self.activation)

    def expd(self, sd: int, ss1: int, ss2: int) -> None:
        power = (self.statistics[ss1, : self.m] - self.statistics[ss2, : self.m]) * self.exp_scale
        self.statistics[sd, : self.m] = np.exp2(power.astype(F64)).astype(F32)

    def rsum(self, sd: int, ts1: int, ss2: int) -> None:
        total = self.statistics[ss2, : self.m].copy()
        a = self.a(ts1)
        if self.afmt == 0:
            total = total + a.astype(np.int64).sum(axis=1).astype(F32) / F32(127)
        else:
            for k in range(self.k):
                total = total + a[:, k]
        self.statistics[sd, : self.m] = total

    def rescale(self, ad: int, as1: int, ss2: int) -> None:
        factor = self.statistics[ss2, : self.m, None]
        self.acf[ad, : self.m, : self.n] = self.acf[as1, : self.m, : self.n] * factor

    def rdiv(self, ad: int, as1: int, ss2: int) -> None:
        divisor = self.statistics[ss2, : self.m, None]
        self.acf[ad, : self.m, : self.n] = self.acf[as1, : self.m, : self.n] / divisor

    def rms(self, sd: int, ts1: int) -> None:
        a, total = self.a(ts1), np.zeros(self.m, F32)
        for k in range(self.k):
            total = total + a[:, k] * a[:, k]
        mean = total / F32(self.k) + self.eps
        self.statistics[sd, : self.m] = F32(1) / np.sqrt(mean.astype(F64)).astype(F32)

    def bias(self, ad: int, as1: int, ss2: int) -> None:
        added = self.acf[as1, : self.m, : self.n] + self.scales(ss2)[None, : self.n, 0]
        self.acf[ad, : self.m, : self.n] = added

    # -- moves

    def mvta(self, ad: int, ts1: int) -> None:
        a = unpack(self.t[ts1, : self.m], self.activation)[:, : self.n]
        block = np.s_[ad, : self.m, : self.n]
        if self.afmt == 0:
            self.ac[block] = a
        else:
            self.acf[block] = a

    def mvat(self, td: int, as1: int) -> None:
        if self.afmt == 0:
            self._int8(td, np.clip(self.ac[as1, : self.m, : self.n], -128, 127))
            return
        values = self.acf[as1, : self.m, : self.n]
        if self.sat and self.activation in ("float8_e4m3fn", "float8_e5m2"):
            values = np.clip(values, -LARGEST[self.activation], LARGEST[self.activation])
        self._put(td, self.m, values, self.activation)

    def cvtf(self, ad: int) -> None:
        self.acf[ad, : self.m, : self.n] = self.ac[ad, : self.m, : self.n].astype(F32)

    def zero(self, td: int) -> None:
        self.t[td] = 0

    def zeroa(self, ad: int) -> None:
        self.ac[ad] = 0


def nearest(values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Nearest integers, ties to even, in bounds; NaN is 0."""
    return np.nan_to_num(np.clip(np.rint(values.astype(F64)), low, high), nan=0.0).astype(np.int64)


def hadamard(blocks: np.ndarray) -> np.ndarray:
    """Unscaled Walsh-Hadamard transform along the last axis, float32, stages at distance 1, 2, 4, ..."""
    result, distance = blocks.copy(), 1
    while distance < result.shape[-1]:
        pairs = result.reshape(*result.shape[:-1], -1, 2, distance)
        result = np.stack([pairs[..., 0, :] + pairs[..., 1, :], pairs[..., 0, :] - pairs[..., 1, :]], axis=-2)
        result = result.reshape(blocks.shape)
        distance *= 2
    return result
