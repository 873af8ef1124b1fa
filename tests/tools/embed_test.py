"""`rapt embed`: a line of JSON for each text, whatever way the texts come; the vectors are the library's."""

import math
import os
import tempfile
import unittest

from support import BERT, json_lines, rapt

TEXTS = ["The cat sat on the mat.", "", 'a "dog"', "é"]


class Embed(unittest.TestCase):
    def vectors(self, *options, **more):
        return json_lines("embed", BERT, *options, **more)

    def test_a_line_for_each_text(self):
        lines = self.vectors(*TEXTS)
        self.assertEqual([line["text"] for line in lines], TEXTS)
        for line in lines:
            self.assertEqual(len(line["vector"]), 36)
            self.assertAlmostEqual(math.hypot(*line["vector"]), 1, places=6)

    def test_texts_of_a_file_and_of_a_pipe_alone_or_together_are_the_same(self):
        expected = self.vectors(*TEXTS)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "texts")
            for end in ["\n", "\r\n"]:
                with open(path, "w", newline="") as file:
                    file.write(end.join(TEXTS) + end)
                self.assertEqual(self.vectors("--file", path), expected)
        self.assertEqual(self.vectors(input="\n".join(TEXTS)), expected)
        self.assertEqual(self.vectors("--file", "-", input="\n".join(TEXTS)), expected)
        self.assertEqual([self.vectors(text)[0] for text in TEXTS], expected)
        self.assertEqual(self.vectors(input="\n".join(TEXTS * 50), OMP_NUM_THREADS="1"), expected * 50)  # several passes

    def test_texts_in_brackets_stay_whole(self):
        texts = ["[a, b]", "[]", "[MASK]", "{}", "[[", "]"]
        self.assertEqual([line["text"] for line in self.vectors(*texts)], texts)
        for text in texts:
            self.assertEqual([line["text"] for line in self.vectors(text)], [text])

    def test_what_is_wrong_is_named(self):
        done = rapt("embed", os.path.join(os.path.dirname(BERT), "gpt2"), "a")  # a model without a tokenizer, moreover
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "rapt embed: a model of family gpt2 writes text and makes no vectors\n")
        done = rapt("embed", BERT, "--file", "/nowhere")
        self.assertEqual((done.returncode, done.stderr), (1, "rapt embed: cannot open /nowhere: No such file or directory\n"))
