"""bench/peers/models.py: its help, its words on bad input, and the jobs' tokens, before anything is installed or measured."""

import argparse
import unittest

import support

import models
from whole import DOERS
from whole.job import JOBS, takes, token_ids


class Models(unittest.TestCase):
    def test_help_names_everybody_and_every_job(self):
        done = support.command("models.py", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        words = "".join(done.stdout.split())  # whatever the lines are broken at
        for name in (*DOERS, *(job.name for job in JOBS)):
            self.assertIn(name, words)

    def test_bad_input_is_one_line_that_says_what_is_right(self):
        for argument, text in (("--job=x", "--job=x is none of smollm2/prompt:512, "), ("--who=rapt,x", "'x' is none of rapt, "),
                               ("--threads=0", "--threads=0; it must be "), ("--calls=0", "--calls=0; it must be ")):  # fmt: skip
            done = support.command("models.py", argument)
            self.assertEqual((done.returncode, done.stdout), (2, ""), argument)
            self.assertRegex(done.stderr, f"^models.py: .*{text}.*\n$")

    def test_rapt_alone_still_needs_what_writes_gpt2s_files(self):
        for job, wanted in (("gpt2/prompt:512", True), ("minilm/1x16", False)):
            found = models.requirements(argparse.Namespace(who=["rapt"], job=[job]))
            self.assertEqual(any("transformers" in word for words in found.values() for word in words), wanted)

    def test_tokens_are_ordinary_ones_and_as_many_as_asked(self):
        for count, vocabulary in ((0, 40000), (512, 40000), (126, 5000), (16, 50257)):
            ids = token_ids(count, vocabulary)
            self.assertEqual(len(ids), count)
            self.assertTrue(all(1000 <= token < vocabulary for token in ids))
        self.assertNotEqual(token_ids(9, 40000, seed=1), token_ids(9, 40000, seed=2))

    def test_every_job_has_somebody_besides_rapt(self):
        for job in JOBS:
            self.assertGreaterEqual(sum(takes(doer, job) for doer in DOERS.values()), 2, job.name)
            self.assertEqual(job.tokens % job.rows, 0)


if __name__ == "__main__":
    unittest.main()
