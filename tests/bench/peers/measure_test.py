"""bench/peers/calls/measure.py: whose results are checked against what. The peers are the test's own; their results are numbers."""

import unittest
from unittest import mock

try:
    import numpy
except ImportError:
    numpy = None

import support  # noqa: F401
from calls import measure
from calls.call import Call, Inputs, Peer, Variant
from harness.shapes import Shape

SHAPE = Shape("s", 1, 1, 1, 1, 1, 1, 1, "none")
RESULTS = {"rapt": 1.0, "right": 1.00001, "wrong": 2.0}


def peer(name):
    return Peer(name, [], lambda info: "", lambda: "1", lambda inputs: iter([Variant("", lambda: Call(lambda: None, lambda: RESULTS[name]))]))


class Prepare(unittest.TestCase):
    def setUp(self):
        for patch in (
            mock.patch.object(measure, "PEERS", {name: peer(name) for name in RESULTS}),
            mock.patch.object(measure, "difference", lambda a, b, shape: abs(a - b)),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def test_everybody_is_checked_against_rapt_in_any_order_and_without_it(self):
        for names in (["rapt", "right", "wrong"], ["wrong", "right", "rapt"], ["wrong", "right"]):
            with self.subTest(names):
                spec = measure.Spec(SHAPE, "f32", 1, "scalar", names, 0.0, 1)
                candidates, skipped = measure.prepare(spec, Inputs(SHAPE, "f32", 1, "scalar", None, None, None), {})
                self.assertEqual(list(candidates), [name for name in names if name != "wrong"])
                self.assertEqual(skipped, {"wrong": "the result differs by 1 RMS"})


@unittest.skipUnless(numpy, "this Python has no NumPy")
class Difference(unittest.TestCase):
    def result(self, keys, queries=1, causal=False):
        """What make_inputs() makes of so many keys has this size."""
        values = numpy.random.default_rng(1).standard_normal((1, 4, queries, 64)).astype("f4")
        seen = numpy.arange(1, queries + 1) if causal else numpy.full(queries, keys)
        return values * numpy.sqrt(numpy.minimum(numpy.e / seen, 1)).astype("f4")[:, None]

    def to_bf16(self, values):
        bits = values.view("u4").astype("u8")
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).astype("u4").view("f4")

    def test_what_is_wrong_is_so_at_any_length_and_rounding_is_not(self):
        for keys in (16, 128, 1024, 16384, 65536, 1 << 20):
            expected = self.result(keys)
            for dtype, tolerance in measure.TOLERANCES.items():
                for wrong in (expected * 0, expected * 2, expected[..., ::-1], expected * numpy.nan):
                    self.assertGreater(measure.relative_difference(wrong, expected), tolerance, (keys, dtype))
            self.assertLess(measure.relative_difference(self.to_bf16(expected * 1.003), self.to_bf16(expected)), measure.TOLERANCES["bf16"])

    def test_early_queries_of_a_causal_mask_are_measured_by_their_own_size(self):
        expected = self.result(0, 2048, causal=True)
        self.assertLess(measure.relative_difference(self.to_bf16(expected), expected), measure.TOLERANCES["bf16"] / 2)
        late = expected.copy()
        late[:, 0, -1] = 0
        self.assertGreater(measure.relative_difference(late, expected), measure.TOLERANCES["bf16"])


if __name__ == "__main__":
    unittest.main()
