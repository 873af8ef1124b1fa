"""`rapt tokenize`: ids of texts and texts of ids, whatever way they come."""

import os
import unittest

from support import BERT, json_lines, rapt


class Tokenize(unittest.TestCase):
    def lines(self, *arguments, **more):
        return json_lines("tokenize", BERT, *arguments, **more)

    def test_texts_in_brackets_stay_whole(self):
        texts = ["[MASK]", "[a, b]", "[]"]
        lines = self.lines("--json", *texts)
        self.assertEqual(lines, [self.lines("--json", input=text)[0] for text in texts])
        self.assertEqual(lines, [self.lines("--json", text)[0] for text in texts])
        done = rapt("tokenize", os.path.join(os.path.dirname(BERT), "[nowhere]"), "a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/[nowhere]': No such file", done.stderr)

    def test_ids_as_one_word_or_several_give_the_text(self):
        ids = self.lines("--json", "the cat")[0]["ids"]
        text = rapt("tokenize", BERT, "--decode", *ids).stdout
        self.assertEqual(text, "the cat\n")
        self.assertEqual(rapt("tokenize", BERT, "--decode", ", ".join(map(str, ids))).stdout, text)

    def test_each_wrong_line_is_named(self):
        for options, line, why in [((), "[1]", "it is not a JSON string"), (("--decode",), '"a"', "it is not a JSON list of ids"),
                                   (("--decode",), "[99999999]", "99999999")]:
            good = "[1]" if options else '"a"'
            done = rapt("tokenize", BERT, "--json-lines", *options, input=f"{good}\n{line}\n")
            self.assertEqual((done.returncode, done.stdout.count("\n")), (1, 1), done.stderr)
            self.assertTrue(done.stderr.startswith("rapt tokenize: line 2 of the standard input: "), done.stderr)
            self.assertIn(why, done.stderr)
