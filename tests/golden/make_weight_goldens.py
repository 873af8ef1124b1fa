#!/usr/bin/env python3
"""Goldens for stored weights: tests/data/weights/TYPE.bin, 512 values as a file stores them, and TYPE.f32, what they are.

The values follow from the formulas of each format in NumPy, in double, rounded once to f32; two rows of random bytes, with
scales that are subnormal, negative and zero among them. Where the package `gguf` is installed it must agree.
"""
import pathlib

import numpy as np

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "weights"
COUNT = 512
rng = np.random.default_rng(20261124)


def halves(n):
    """Finite f16 scales."""
    values = (rng.standard_normal(n) * 10.0 ** rng.integers(-6, 2, n)).astype(np.float16)
    values[: n // 8] = 0
    values[-1] = np.float16(6e-8)  # the smallest subnormal
    return values.view(np.uint16).astype("<u2").view(np.uint8).reshape(n, 2)


def read_half(blocks, at):
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float64)


def random_bytes(n, size):
    return rng.integers(0, 256, (n, size), dtype=np.uint8)


def bits(words, count):
    """[n, words * 8] bits, the lowest of the first byte first."""
    return np.unpackbits(words, axis=1, bitorder="little")[:, :count].astype(np.int64)


def nibbles(data):
    return np.concatenate([data & 15, data >> 4], axis=1).astype(np.int64)


def q8_0():
    blocks = np.concatenate([halves(16), random_bytes(16, 32)], axis=1)
    return blocks, read_half(blocks, 0) * np.ascontiguousarray(blocks[:, 2:]).view(np.int8)


def q4_0():
    blocks = np.concatenate([halves(16), random_bytes(16, 16)], axis=1)
    return blocks, read_half(blocks, 0) * (nibbles(blocks[:, 2:]) - 8)


def q4_1():
    blocks = np.concatenate([halves(16), halves(16), random_bytes(16, 16)], axis=1)
    return blocks, read_half(blocks, 0) * nibbles(blocks[:, 4:]) + read_half(blocks, 2)


def q5_0():
    blocks = np.concatenate([halves(16), random_bytes(16, 20)], axis=1)
    q = nibbles(blocks[:, 6:]) + 16 * bits(blocks[:, 2:6], 32)
    return blocks, read_half(blocks, 0) * (q - 16)


def q5_1():
    blocks = np.concatenate([halves(16), halves(16), random_bytes(16, 20)], axis=1)
    q = nibbles(blocks[:, 8:]) + 16 * bits(blocks[:, 4:8], 32)
    return blocks, read_half(blocks, 0) * q + read_half(blocks, 2)


def q6_k():
    n = COUNT // 256
    blocks = np.concatenate([random_bytes(n, 208), halves(n)], axis=1)
    low = blocks[:, :128].reshape(n, 2, 2, 32)
    low = np.stack([low & 15, low >> 4], axis=2).reshape(n, 2, 4, 32)  # [half, run, at]
    high = blocks[:, 128:192].reshape(n, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1) & 3
    q = (low.astype(np.int64) + 16 * high - 32).reshape(n, 16, 16)
    scales = np.ascontiguousarray(blocks[:, 192:208]).view(np.int8).astype(np.int64)
    return blocks, (read_half(blocks, 208)[:, :, None] * scales[:, :, None] * q).reshape(n, 256)


def two_bits(data):
    """[n, 64] bytes -> [n, 8, 32]: of each 32 bytes the lowest two bits are 32 values, the next two the next 32."""
    shifts = np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)
    return (data.reshape(-1, 2, 1, 32) >> shifts & 3).reshape(-1, 8, 32).astype(np.int64)


def q2_k():
    n = COUNT // 256
    blocks = np.concatenate([random_bytes(n, 80), halves(n), halves(n)], axis=1)
    scales, q = blocks[:, :16, None].astype(np.int64), two_bits(blocks[:, 16:80]).reshape(n, 16, 16)
    d, m = read_half(blocks, 80)[:, :, None], read_half(blocks, 82)[:, :, None]
    return blocks, (d * (scales & 15) * q - m * (scales >> 4)).reshape(n, 256)


def q3_k():
    n = COUNT // 256
    blocks = np.concatenate([random_bytes(n, 108), halves(n)], axis=1)
    upper = bits(blocks[:, :32], 256).reshape(n, 32, 8).transpose(0, 2, 1)  # [part, at]
    q = (two_bits(blocks[:, 32:96]) + 4 * upper - 4).reshape(n, 16, 16)
    high = np.concatenate([blocks[:, 104:108] >> shift & 3 for shift in (0, 2, 4, 6)], axis=1)
    scales = nibbles(blocks[:, 96:104]) + 16 * high.astype(np.int64) - 32
    return blocks, (read_half(blocks, 108)[:, :, None] * scales[:, :, None] * q).reshape(n, 256)


def scales_and_offsets(packed):
    """[n, 12] bytes: eight pairs of 6 bits."""
    packed = packed.astype(np.int64)
    low, high = packed[:, 0:4], packed[:, 4:8]
    scales = np.concatenate([low & 63, (packed[:, 8:12] & 15) + 16 * (low >> 6)], axis=1)
    return scales, np.concatenate([high & 63, (packed[:, 8:12] >> 4) + 16 * (high >> 6)], axis=1)


def scaled_parts(blocks, q):
    """q: [n, 8, 32] after d, m and the pairs."""
    scales, offsets = scales_and_offsets(blocks[:, 4:16])
    d, m = read_half(blocks, 0)[:, :, None], read_half(blocks, 2)[:, :, None]
    return (d * scales[:, :, None] * q - m * offsets[:, :, None]).reshape(-1, 256)


def nibbles_of_parts(data):
    data = data.reshape(-1, 4, 32)
    return np.stack([data & 15, data >> 4], axis=2).reshape(-1, 8, 32).astype(np.int64)


def q4_k():
    n = COUNT // 256
    blocks = np.concatenate([halves(n), halves(n), random_bytes(n, 12 + 128)], axis=1)
    return blocks, scaled_parts(blocks, nibbles_of_parts(blocks[:, 16:]))


def q5_k():
    n = COUNT // 256
    blocks = np.concatenate([halves(n), halves(n), random_bytes(n, 12 + 32 + 128)], axis=1)
    fifth = bits(blocks[:, 16:48], 256).reshape(n, 32, 8).transpose(0, 2, 1)
    return blocks, scaled_parts(blocks, nibbles_of_parts(blocks[:, 48:]) + 16 * fifth)


KVALUES = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])


def iq4_nl():
    blocks = np.concatenate([halves(16), random_bytes(16, 16)], axis=1)
    return blocks, read_half(blocks, 0) * KVALUES[nibbles(blocks[:, 2:])]


def iq4_xs():
    n = COUNT // 256
    blocks = np.concatenate([halves(n), random_bytes(n, 6 + 128)], axis=1)
    low = np.stack([blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4], axis=2).reshape(n, 8)
    upper = bits(blocks[:, 2:4], 16).reshape(n, 8, 2)
    scales = low + 16 * upper[:, :, 0] + 32 * upper[:, :, 1] - 32
    q = nibbles(blocks[:, 8:].reshape(8 * n, 16)).reshape(n, 8, 32)
    return blocks, (read_half(blocks, 0)[:, :, None] * scales[:, :, None] * KVALUES[q]).reshape(n, 256)


def f16():
    data = rng.standard_normal(COUNT).astype("<f2")
    return data.view(np.uint8), data.astype(np.float64)


def bf16():
    words = rng.standard_normal(COUNT).astype("<f4").view("<u4") >> 16
    return words.astype("<u2").view(np.uint8), (words << 16).astype("<u4").view("<f4").astype(np.float64)


def f32():
    data = rng.standard_normal(COUNT).astype("<f4")
    return data.view(np.uint8), data.astype(np.float64)


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    # Each takes the next random numbers.
    for make in (f32, bf16, f16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q6_k, q3_k, q5_k, q2_k, iq4_nl, iq4_xs):
        name = make.__name__.upper()
        stored, values = make()
        values = values.astype(np.float32).reshape(-1)
        assert values.size == COUNT and np.isfinite(values).all()
        try:
            import gguf
        except ImportError:
            print(f"{name}: not compared with gguf")
        else:
            theirs = gguf.dequantize(stored.reshape(-1), gguf.GGMLQuantizationType[name]).reshape(-1)
            assert (theirs == values).all(), name
        stored.tofile(DATA / f"{name}.bin")
        values.astype("<f4").tofile(DATA / f"{name}.f32")


main()
