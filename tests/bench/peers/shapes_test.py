"""bench/peers/harness/shapes.py: names and numbers, work and bytes against a loop over every pair."""

import unittest

import support  # noqa: F401
from harness.errors import BadInput
from harness.shapes import Shape, first_seeing_query, flops, kv_bytes, named_shapes, parse_shape


def sees(s, query, key):
    if s.causal == "top_left":
        return key <= query
    return s.causal == "none" or key <= query + s.kv_len - s.q_len


def pairs(s):
    return [(i, j) for i in range(s.q_len) for j in range(s.kv_len) if sees(s, i, j)]


class Shapes(unittest.TestCase):
    def test_every_line_of_the_file_is_a_named_shape(self):
        lines = (support.REPOSITORY / "bench/attention/named_shapes.inc").read_text().splitlines()
        self.assertEqual(len(named_shapes()), sum(line.startswith("{") for line in lines))
        self.assertEqual(parse_shape("gpt2_1024c"), Shape("gpt2_1024c", 1, 12, 12, 1024, 1024, 64, 64, "bottom_right"))

    def test_numbers(self):
        self.assertEqual(parse_shape("2,8,4,3,5,16")[1:], (2, 8, 4, 3, 5, 16, 16, "none"))
        self.assertEqual(parse_shape("2,8,4,3,5,16,7").head_dim_v, 7)

    def test_bad_ones_are_named(self):
        for text in ("1,2,3", "0,1,1,1,1,1", "h16", "1,1,1,1,1,1,1,1", "1,-1,1,1,1,1"):
            with self.assertRaisesRegex(BadInput, f"--shape={text} is neither"):
                parse_shape(text)
        with self.assertRaisesRegex(BadInput, "Hq must be a multiple of Hkv, but 6 is not one of 4"):
            parse_shape("1,6,4,1,1,1")

    def test_work_and_bytes_are_those_of_the_visible_pairs(self):
        for causal in ("none", "top_left", "bottom_right"):
            for q_len, kv_len in ((1, 7), (4, 7), (7, 7), (9, 7)):
                s = Shape("", 2, 6, 3, q_len, kv_len, 5, 4, causal)
                with self.subTest(causal=causal, q_len=q_len, kv_len=kv_len):
                    self.assertEqual(flops(s), 2 * 2 * 6 * len(pairs(s)) * (5 + 4))
                    seen = {key for _, key in pairs(s)}
                    self.assertEqual(kv_bytes(s, "f32"), 4 * 2 * 3 * len(seen) * (5 + 4))
                    self.assertEqual(kv_bytes(s, "bf16") * 2, kv_bytes(s, "f32"))
                    self.assertEqual(first_seeing_query(s), min(query for query, _ in pairs(s)))


if __name__ == "__main__":
    unittest.main()
