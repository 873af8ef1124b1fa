"""bench/peers/harness/turns.py: who is called when. The clock is the test's own."""

import unittest
from unittest import mock

import support  # noqa: F401
from harness import turns


class Clock:
    """Time passes only in calls and pauses."""

    def __init__(self):
        self.now, self.calls = 0.0, ""

    def takes(self, name, seconds):
        def call():
            self.calls += name
            self.now += seconds

        return call

    def sleep(self, seconds):
        self.calls += "-"
        self.now += seconds


class Turns(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        for patch in (
            mock.patch.multiple(turns.time, perf_counter=lambda: self.clock.now, sleep=self.clock.sleep),
            mock.patch.multiple(turns, TURN_SECONDS=1.0, PAUSE_SECONDS=0.5),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def time(self, pause=False, seconds=0.0, least_calls=3, **durations):
        calls = {name: self.clock.takes(name, duration) for name, duration in durations.items()}
        return turns.time_in_turns(calls, seconds, least_calls, pause)

    def test_long_calls_alternate_until_each_has_enough(self):
        times = self.time(A=1.0, B=2.0)
        self.assertEqual(self.clock.calls, "ABABAB")
        self.assertEqual([times[name].samples for name in "AB"], [3, 3])

    def test_a_turn_of_short_calls_fills_its_time(self):
        times = self.time(A=0.25, B=1.0, least_calls=2)
        self.assertEqual(self.clock.calls, "AAAABAAAAB")
        self.assertEqual((times["A"].minimum, times["A"].samples), (0.25, 8))

    def test_everybody_goes_on_until_the_seconds_are_spent(self):
        self.time(A=1.0, B=4.0, seconds=3.5, least_calls=1)
        self.assertEqual(self.clock.calls, "ABABABAB")

    def test_pauses_come_before_every_turn(self):
        self.time(pause=True, A=1.0, B=1.0, least_calls=1)
        self.assertEqual(self.clock.calls, "-A-B")

    def test_summary(self):
        self.assertEqual(turns.summarize([3.0, 1.0, 2.0, 9.0]), (1.0, 2.5, 4))


if __name__ == "__main__":
    unittest.main()
