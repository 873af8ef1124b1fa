"""`rapt inspect`: a page that stands alone, whose maps are softmaxes; drawn by a browser where RAPT_BROWSER names one."""

import base64
import json
import math
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

from support import BERT, CHAT_MODEL, MODEL, rapt

PROMPT = "ROMEO:\nTo be </script>"


def page_of(model, prompt, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "page.html")
        done = rapt("inspect", model, "--prompt", prompt, "--html", path, *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
        with open(path, encoding="utf-8") as file:
            return file.read()


def data_of(page):
    return json.loads(re.search(r"^const data = (\{.*\});$", page, re.MULTILINE).group(1))


class Page(unittest.TestCase):
    def check(self, data, tokens, layers, heads, causal):
        n = len(tokens)
        self.assertEqual((data["tokens"], data["layers"], data["heads"]), (tokens, layers, heads))
        weights = base64.b64decode(data["weights"])
        self.assertEqual(len(weights), layers * heads * n * n)
        self.assertEqual(len(data["entropy"]), layers * heads)
        for head, (nats, share) in enumerate(data["entropy"]):
            found = 0
            for row in range(n):
                values = [(byte / 255) ** 2 for byte in weights[(head * n + row) * n : (head * n + row + 1) * n]]
                self.assertAlmostEqual(sum(values), 1, delta=0.05)
                self.assertEqual(sum(values[row + 1 :]) == 0, causal or row == n - 1)
                found -= sum(value * math.log(value) for value in values if value > 0) / n
            self.assertAlmostEqual(nats, found, delta=0.05)
            most = sum(math.log(row + 1 if causal else n) for row in range(n)) / n
            self.assertAlmostEqual(share, nats / most, places=6)
        self.assertEqual([name for name, _ in data["phases"]], ["embedding", "projections", "attention", "output", "feed forward", "head"])
        self.assertGreater(sum(seconds for _, seconds in data["phases"]), 0)

    def test_maps_of_a_model_that_writes(self):
        prompt = "ROMEO:\nTo be"
        self.check(data_of(page_of(MODEL, prompt)), list(prompt), 6, 4, causal=True)

    def test_maps_of_a_model_that_makes_vectors(self):
        self.check(data_of(page_of(BERT, "[CLS] the cat [SEP]")), ["[CLS]", "the", "cat", "[SEP]"], 2, 3, causal=False)

    def test_a_prompt_from_the_standard_input(self):
        with tempfile.NamedTemporaryFile() as page:
            done = rapt("inspect", MODEL, "--prompt-file", "-", "--html", page.name, input="ROMEO:")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(data_of(page.read().decode())["tokens"], list("ROMEO:"))

    def test_it_refers_to_nothing_and_a_prompt_cannot_leave_its_place(self):
        page = page_of(CHAT_MODEL, PROMPT)
        self.assertEqual("".join(data_of(page)["tokens"]), PROMPT)
        self.assertEqual(page.count("</script>"), 1)
        self.assertNotRegex(page, r"https?://|\bsrc=|\bhref=|@import|url\(")

    def test_what_is_wrong_is_named(self):
        done = rapt("inspect", BERT, "--prompt", "a " * 300, "--html", "/nowhere/page")
        self.assertEqual((done.returncode, done.stderr), (2, "rapt inspect: the prompt has 300 tokens; this model reads from 1 to 40\n"))
        done = rapt("inspect", BERT, "--prompt", "a", "--html", "/nowhere/page")
        self.assertEqual((done.returncode, done.stderr), (1, "rapt inspect: cannot write /nowhere/page: No such file or directory\n"))
        done = rapt("inspect", MODEL, "--prompt", "a" * 200, "--html", "/nowhere/page")
        self.assertEqual((done.returncode, done.stderr), (2, "rapt inspect: the prompt has 200 tokens; this model reads from 1 to 128\n"))

    def test_a_page_on_the_standard_output(self):
        done = rapt("inspect", MODEL, "--prompt", "ROMEO:", "--html", "-")
        self.assertEqual((done.returncode, data_of(done.stdout)["tokens"]), (0, list("ROMEO:")))

    def test_weights_that_are_not_numbers_are_named(self):
        data = bytearray(pathlib.Path(MODEL).read_bytes())
        (size,) = struct.unpack_from("<Q", data)
        begin, _ = json.loads(data[8 : 8 + size])["transformer.h.1.ln_1.weight"]["data_offsets"]
        struct.pack_into("<f", data, 8 + size + begin, math.nan)
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as model:
            model.write(data)
            model.flush()
            done = rapt("inspect", model.name, "--prompt", "a", "--html", "/nowhere/page")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "the model computed -?nan in an attention map of layer 1; its weights are not usable")


@unittest.skipUnless(os.environ.get("RAPT_BROWSER"), "RAPT_BROWSER names no Chromium")
class Browser(unittest.TestCase):
    def test_chromium_draws_it(self):
        page = page_of(CHAT_MODEL, PROMPT)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "page.html")
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
            done = subprocess.run(
                [os.environ["RAPT_BROWSER"], "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
                 "--virtual-time-budget=5000", "--dump-dom", f"file://{path}"], capture_output=True, text=True, timeout=120, check=True,
            )
        drawn = done.stdout
        self.assertIn(f'data-drawn="2 maps of {len(PROMPT)} tokens"', drawn)  # set last: nothing before it has failed
        self.assertEqual(len(re.findall(r"<canvas ", drawn)), 3)
        self.assertEqual(len(re.findall(r"<td [^>]*style=\"background: rgb", drawn)), 2)
        self.assertIn("Layer 0, head 0", drawn)
        self.assertEqual(len(re.findall(r"<span [^>]*title=\"[0-9.]+ % of token", drawn)), len(PROMPT))
