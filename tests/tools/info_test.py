"""`rapt info`: what it says agrees with itself and with the environment."""

import json
import os
import unittest

from support import rapt


class Info(unittest.TestCase):
    def json(self, **environment):
        done = rapt("info", "--json", **environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_json_has_every_part(self):
        info = self.json()
        self.assertEqual(info["isa"]["levels"][0], {"name": "scalar", "available": True})
        available = [level["name"] for level in info["isa"]["levels"] if level["available"]]
        self.assertEqual(info["isa"]["best"], available[-1])
        self.assertIn(info["isa"]["chosen"], available)
        self.assertGreaterEqual(info["threads"]["default"], 1)
        self.assertTrue(info["threads"]["reason"])
        self.assertEqual(set(info["cache_bytes"]), {"l1d", "l2", "l3"})
        backends = {backend["name"]: backend for backend in info["backends"]}
        for name in ["rapt", "reference"]:
            self.assertTrue(backends[name]["available"])
            self.assertTrue(backends[name]["version"])
        for part in [*info["isa"]["levels"], *info["backends"]]:
            self.assertEqual("why_not" in part, not part["available"])

    def test_text_has_the_same_facts(self):
        info = self.json()
        done = rapt("info")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertIn(["isa", info["isa"]["chosen"], "chosen"], lines)
        self.assertIn(["threads", str(info["threads"]["default"]), info["threads"]["reason"]], lines)
        self.assertIn(["rapt", info["version"]], lines)
        self.assertEqual([line[1] for line in lines if line[0] == "backend"], [b["name"] for b in info["backends"]])

    def test_environment_lowers_the_level(self):
        info = self.json(RAPT_ISA="scalar")
        self.assertEqual(info["isa"]["chosen"], "scalar")

    def test_environment_sets_the_threads(self):
        self.assertEqual(self.json(OMP_NUM_THREADS="1")["threads"]["default"], 1)

    def test_affinity_limits_the_threads(self):
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            self.assertEqual(self.json()["threads"]["default"], 1)
        finally:
            os.sched_setaffinity(0, before)

    def test_a_wrong_environment_is_named(self):
        done = rapt("info", RAPT_ISA="sse9")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("RAPT_ISA", done.stderr)
        self.assertIn("scalar", done.stderr)
