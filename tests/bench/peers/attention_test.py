"""bench/peers/attention.py: its help and its words on bad input, before anything is installed or measured."""

import os
import unittest

import support
from calls import PEERS
from harness.shapes import named_shapes


def attention(*arguments):
    return support.command("attention.py", *arguments)


class Attention(unittest.TestCase):
    def test_help_names_every_peer_and_shape(self):
        done = attention("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for name in (*PEERS, *named_shapes()):
            self.assertIn(name, done.stdout)

    def test_threads_are_those_that_the_process_may_use(self):
        cpus = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, cpus)
        os.sched_setaffinity(0, {min(cpus)})
        self.assertIn("--threads=2; it must be numbers from 1 to 1,", attention("--threads=2", "--no-setup").stderr)

    def test_bad_input_is_one_line_that_says_what_is_right(self):
        for argument, text in (
            ("--shape=1,2", "--shape=1,2 is neither one of "),
            ("--threads=0", "--threads=0; it must be numbers from 1 to "),
            ("--threads=x", "--threads=x; it must be numbers from 1 to "),
            ("--types=f64", "'f64' is none of f32, bf16, f16"),
            ("--peers=rapt,numpy", "'numpy' is none of rapt, torch, "),
            ("--seconds=-1", "--seconds=-1.0; it must be from 0 to 3600"),
            ("--calls=0", "--calls=0; it must be from 1 to 1000000"),
            ("--isa=foo", "--isa=foo is none of amx_bf16, avx2, "),
            ("--lengths=0", "--lengths=0; it must be numbers from 1 to "),
            ("--json=/no/such/folder/f", "--json=/no/such/folder/f: the folder does not exist"),
            ("--append", "--append needs --json=FILE"),
            ("--shape=64,64,64,16777215,16777215,64", "GB; this machine has"),
            ("--nonsense", "--nonsense"),
        ):
            with self.subTest(argument):
                done = attention(argument)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(text, done.stderr)
                self.assertTrue(done.stderr.startswith("attention.py: "))
                self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
