"""bench/peers/calls/measure.py: whose results are checked against what. The peers are the test's own; their results are numbers."""

import unittest
from unittest import mock

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
                self.assertEqual(skipped, {"wrong": "the result differs by 1"})


if __name__ == "__main__":
    unittest.main()
