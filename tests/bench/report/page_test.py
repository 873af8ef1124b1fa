"""tools/bench_report: the page is whole by itself and holds what was measured. Needs matplotlib, else it is skipped."""

import importlib.util
import json
import pathlib
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

import support

SWEEP = [f"1,8,8,{n},{n},64" for n in (256, 512, 1024)]


def sizes(shape):
    names = ("batch", "q_heads", "kv_heads", "q_len", "kv_len", "head_dim")
    return {**dict(zip(names, map(float, shape.split(",")))), "head_dim_v": 64.0, "causal": 0.0}


def rows():
    """Every kind of plot has something to show."""
    made = []
    for threads in (1, 2):
        for shape in ("h16_2048_d64", "dec_llama_4k", "head_16"):
            made += [support.row(shape, peer, time, threads, **{"read_DRAM_GB/s": 20.0, "%read": 50.0}) for peer, time in (("rapt", 40.0), ("torch", 60.0))]
        made += [support.row(shape, "rapt", 1e4, threads, **sizes(shape)) for shape in SWEEP]
    return [*made, {"name": "head_16/f32/zentorch/threads:1", "error_occurred": True, "error_message": "needs AVX-512 & more"}]


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.out = pathlib.Path(cls.folder.name)
        cls.file = support.write(cls.out / "rows.json", rows())
        cls.done = support.report(cls.file, "--out", cls.out)

    def test_it_says_where_the_page_is(self):
        self.assertEqual((self.done.returncode, self.done.stderr, self.done.stdout), (0, "", f"{self.out / 'index.html'}\n"))

    def test_every_plot_is_a_file_of_well_formed_svg(self):
        names = sorted(path.stem for path in self.out.glob("f32-*.svg"))
        self.assertEqual(names, [f"f32-{name}" for name in ("bandwidth", "latency", "length-1", "peak", "ratios", "roofline", "scaling")])
        for path in self.out.glob("*.svg"):
            self.assertEqual(xml.parse(path).getroot().tag, "{http://www.w3.org/2000/svg}svg")

    def test_the_page_needs_nothing_else(self):
        page = (self.out / "index.html").read_text()
        self.assertEqual(page.count("<svg"), 7)
        for reference in re.findall(r'(?:src|href)="([^"]*)"', page):
            self.assertTrue(reference.startswith("#"), reference)

    def test_numbers_and_facts_are_on_it_escaped(self):
        page = (self.out / "index.html").read_text()
        for text in ("A &lt;fast&gt; CPU", "GNU 12", "needs AVX-512 &amp; more", "1.50"):
            self.assertIn(text, page)
        self.assertNotIn("<fast>", page)

    def test_the_same_rows_give_the_same_files(self):
        again = self.out / "again"
        self.assertEqual(support.report(self.file, "--out", again).returncode, 0)
        for path in again.iterdir():
            self.assertEqual(path.read_bytes(), (self.out / path.name).read_bytes(), path.name)

    def test_one_plot_alone(self):
        alone = self.out / "alone.svg"
        self.assertEqual(support.report(self.file, "--plot=f32-ratios", f"--svg={alone}").returncode, 0)
        self.assertEqual(alone.read_bytes(), (self.out / "f32-ratios.svg").read_bytes())
        done = support.report(self.file, "--plot=nonsense", f"--svg={alone}")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--plot=nonsense is none of f32-ratios, ", done.stderr)


class OddPage(unittest.TestCase):
    def test_versions_of_any_kind_and_own_backends(self):
        with tempfile.TemporaryDirectory() as folder:
            file, out = pathlib.Path(folder) / "rows.json", pathlib.Path(folder) / "out"
            made = [support.row("head_16", peer, time) for peer, time in (("rapt", 40.0), ("onednn", 20.0), ("torch", 90.0), ("torch", 80.0))]
            made.append({"name": "head_16/f32/\ud800/threads:1", "error_occurred": True, "error_message": 3})
            file.write_text(json.dumps({"context": {"versions": {"rapt": "1", "torch": "", "openvino": 3}}, "benchmarks": made}))
            done = support.report(file, "--out", out)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            page = (out / "index.html").read_text()
            for text in ("PyTorch, OpenVINO 3", "1 of 1", "2.00", "rapt's own backends and count as none"):
                self.assertIn(text, page)
            self.assertIn("oneDNN matmul", (out / "f32-ratios.svg").read_text())


if __name__ == "__main__":
    if not importlib.util.find_spec("matplotlib"):
        print(f"skipped: {sys.executable} has no matplotlib (Debian: python3-matplotlib)")
        sys.exit(77)
    unittest.main()
