"""`rapt generate` and `rapt eval` on the bundled model, against what nanoGPT's own code computed."""

import json
import math
import os
import tempfile
import unittest

from support import EVAL_TEXT, MODEL, golden, rapt, start


class Generate(unittest.TestCase):
    def text(self, *options):
        done = rapt("generate", MODEL, "--prompt", golden()["prompt"], *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_greedy_text_is_nanogpts(self):
        expected = golden()["greedy_text"][len(golden()["prompt"]) :]
        self.assertEqual(len(expected), 200)
        self.assertEqual(self.text("--tokens", 200), expected + "\n")
        self.assertEqual(self.text("--tokens", 50, "--backend", "reference"), expected[:50] + "\n")

    def test_smoke_first_greedy_tokens(self):
        expected = golden()["greedy_text"][len(golden()["prompt"]) :]
        done = rapt("generate", MODEL, "--prompt", golden()["prompt"], "--tokens", 30)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, expected[:30] + "\n", ""))

    def test_text_does_not_depend_on_threads_and_chunks(self):
        sampled = ["--tokens", 60, "--temperature", 1, "--seed", 3]
        text = self.text(*sampled, "--threads", 1)
        self.assertEqual(self.text(*sampled, "--threads", 2), text)
        self.assertEqual(self.text(*sampled, "--chunk", 4), text)

    def test_sampling_options_reach_the_sampler(self):
        sampled = ["--tokens", 60, "--temperature", 1]
        text = self.text(*sampled, "--seed", 1)
        self.assertNotEqual(self.text(*sampled, "--seed", 2), text)
        greedy = self.text("--tokens", 60)
        self.assertEqual(self.text(*sampled, "--top-k", 1), greedy)
        self.assertEqual(self.text(*sampled, "--top-p", 1e-6), greedy)
        self.assertNotEqual(self.text("--tokens", 60, "--repetition-penalty", 2), greedy)

    def test_a_prompt_from_a_file_is_the_same_prompt(self):
        text = self.text("--tokens", 20)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(golden()["prompt"])
            file.flush()
            done = rapt("generate", MODEL, "--prompt-file", file.name, "--tokens", 20)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, text, ""))
        done = rapt("generate", MODEL, "--prompt-file", "-", "--tokens", 20, input=golden()["prompt"])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, text, ""))

    def test_one_newline_at_the_end(self):
        self.assertEqual(rapt("generate", MODEL, "--prompt", "JULIET:", "--tokens", 1).stdout, "\n")

    def test_statistics_go_to_stderr(self):
        done = rapt("generate", MODEL, "--prompt", "JULIET:", "--tokens", 5, "--stats")
        prompt, generation = (line.split("\t") for line in done.stderr.splitlines())
        self.assertEqual(prompt[:2], ["prompt", "7 tokens"])
        self.assertEqual(generation[:2], ["generation", "5 tokens"])
        for line in (prompt, generation):
            self.assertGreater(float(line[3].removesuffix(" tok/s")), 0)

    def test_a_rate_of_one_token_is_not_available(self):
        done = rapt("generate", MODEL, "--prompt", "JULIET:", "--tokens", 1, "--stats")
        self.assertTrue(done.stderr.endswith("\tn/a\n"), done.stderr)


class Eval(unittest.TestCase):
    def test_loss_is_nanogpts(self):
        done = rapt("eval", MODEL, "--text", EVAL_TEXT, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result = json.loads(done.stdout)
        self.assertAlmostEqual(result["loss"], float(golden()["eval_loss"]), delta=2e-5)
        self.assertAlmostEqual(result["perplexity"], math.exp(result["loss"]), delta=1e-9)
        self.assertEqual(result["tokens"] % 128, 0)

    def test_text_has_the_same_figures(self):
        result = json.loads(rapt("eval", MODEL, "--text", EVAL_TEXT, "--json").stdout)
        lines = dict(line.split("\t") for line in rapt("eval", MODEL, "--text", EVAL_TEXT).stdout.splitlines())
        self.assertEqual(int(lines["tokens"]), result["tokens"])
        self.assertAlmostEqual(float(lines["loss"]), result["loss"], delta=1e-6)
        self.assertAlmostEqual(float(lines["perplexity"]), result["perplexity"], delta=1e-4)

    def test_text_of_the_standard_input(self):
        with open(EVAL_TEXT, encoding="utf-8") as file:
            done = rapt("eval", MODEL, "--text", "-", input=file.read())
        self.assertEqual((done.returncode, done.stdout), (0, rapt("eval", MODEL, "--text", EVAL_TEXT).stdout))


class Failures(unittest.TestCase):
    """What is asked for rightly and cannot be done: one line and exit status 1."""

    def check(self, done, *parts):
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_files_that_are_not_there(self):
        self.check(rapt("generate", "nowhere.safetensors", "--prompt", "a"), "rapt generate: ", "nowhere.safetensors")
        self.check(rapt("eval", "nowhere.safetensors", "--text", EVAL_TEXT), "rapt eval: ", "nowhere.safetensors")
        self.check(rapt("eval", MODEL, "--text", "nowhere.txt"), "nowhere.txt", "No such file")
        self.check(rapt("eval", MODEL, "--text", "."), "directory")
        self.check(rapt("generate", MODEL, "--prompt-file", "nowhere.txt"), "nowhere.txt", "No such file")

    def test_prompts_that_are_none(self):
        self.check(rapt("generate", MODEL, "--prompt-file", "-", input=""), "no prompt in the standard input: it is empty")
        self.check(rapt("generate", MODEL, "--prompt-file", "-", input="a\0b"), "the prompt has a NUL in it")

    def test_a_file_that_is_no_model(self):
        self.check(rapt("generate", EVAL_TEXT, "--prompt", "a"), "safetensors")

    def test_a_text_that_is_too_short(self):
        with tempfile.NamedTemporaryFile("w") as file:
            done = rapt("eval", MODEL, "--text", file.name)
        self.assertIn(done.returncode, (1, 2))
        self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1))

    def test_a_level_that_the_cpu_lacks(self):
        for level in json.loads(rapt("info", "--json").stdout)["isa"]["levels"]:
            if not level["available"]:
                self.check(rapt("generate", MODEL, "--prompt", "a", "--isa", level["name"]), level["name"], "lacks")
                self.check(rapt("compare", "--isa", level["name"]), level["name"], "lacks")

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_full_disk(self):
        for arguments in [["info"], ["--help"], ["generate", MODEL, "--prompt", "a"], ["eval", MODEL, "--text", EVAL_TEXT]]:
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                process = start(*arguments, stdout=full)
                _, stderr = process.communicate(timeout=300)
                self.assertEqual(process.returncode, 1)
                self.assertIn(b"No space left on device", stderr)
                self.assertEqual(stderr.count(b"\n"), 1)
