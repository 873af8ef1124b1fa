"""bench/peers/whole/measure.py: whose results are checked against what, and what differs. The projects are the test's own."""

import unittest
from unittest import mock

import support  # noqa: F401
from whole import measure
from whole.job import JOBS, Doer, Skip, Task, remember

try:
    import numpy
except ImportError:
    numpy = None

JOB = {job.name: job for job in JOBS}
LOGITS = [3.0, -1.0, 0.5, 2.0]


def doer(name, logits):
    def make(job, threads):
        if logits is None:
            raise Skip("cannot")
        return Task(lambda: None, lambda: numpy.array(logits, "f4"))

    return Doer(name, [], ["gpt2", "smollm2"], lambda: "1", make)


@unittest.skipUnless(numpy, "this Python has no NumPy")
class Whole(unittest.TestCase):
    def prepare(self, *who, job="gpt2/prompt:512", rapt=LOGITS):
        found = {"rapt": rapt, "right": [x + 1e-6 for x in LOGITS], "wrong": LOGITS[::-1], "nan": [float("nan")] * 4, "short": LOGITS[:3]}
        with mock.patch.object(measure, "DOERS", {name: doer(name, logits) for name, logits in found.items()}):
            return measure.prepare_all(list(who), JOB[job], 1)

    def test_everybody_is_checked_against_rapt_in_any_order_and_without_it(self):
        for who in (["rapt", "right", "wrong"], ["wrong", "right", "rapt"], ["right", "wrong"]):
            calls, skipped = self.prepare(*who)
            self.assertEqual(list(calls), [name for name in who if name != "wrong"])
            self.assertEqual(list(skipped), ["wrong"])
            self.assertRegex(skipped["wrong"], "^the result differs by ")

    def test_nan_and_results_of_another_size_differ_in_every_job(self):
        for job in ("gpt2/prompt:512", "smollm2/prompt:512"):
            self.assertEqual(list(self.prepare("rapt", "nan", "short", job=job)[1]), ["nan", "short"])

    def test_where_rapt_cannot_nobody_is_checked(self):
        calls, skipped = self.prepare("rapt", "right", "wrong", rapt=None)
        self.assertEqual((list(calls), skipped), (["right", "wrong"], {"rapt": "cannot"}))

    def test_vectors_are_compared_by_their_angle_each_text_by_itself(self):
        same, turned = numpy.eye(3, dtype="f4"), numpy.eye(3, dtype="f4")
        turned[2] = [0, 0.6, 0.8]
        self.assertAlmostEqual(measure.difference(JOB["minilm/32x128"], turned, same), 0.2, places=6)
        self.assertEqual(measure.difference(JOB["minilm/32x128"], same, same), 0)

    def test_logits_are_compared_by_what_varies_in_them(self):
        expected = numpy.array(LOGITS) + 1000
        self.assertAlmostEqual(measure.difference(JOB["gpt2/prompt:512"], expected * 0 + expected.mean(), expected), 1)

    def test_the_last_run_is_what_is_compared(self):
        numbers = iter((1, 2))
        task = remember(lambda: next(numbers), lambda number: number * 10)
        task.run(), task.run()
        self.assertEqual(task.result(), 20)


if __name__ == "__main__":
    unittest.main()
