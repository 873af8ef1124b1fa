"""Arguments: help for every command, and one line that says what is right for every wrong one."""

import unittest

from support import BERT, CHAT_MODEL, MODEL, rapt

COMMANDS = ["info", "chat", "generate", "embed", "eval", "compare", "inspect", "tokenize", "fetch"]

# Wrong arguments, and a part of the line that must answer them.
WRONG = [
    ([], "which command? info, chat, generate, embed, eval, compare, inspect, tokenize or fetch"),
    (["genrate"], "there is no command genrate; did you mean generate?"),
    (["frobnicate"], "the commands are info, chat, generate, embed, eval, compare, inspect, tokenize and fetch"),
    (["--jsn"], "there is no option --jsn"),
    (["info", "--josn"], "there is no option --josn; did you mean --json?"),
    (["info", "more"], 'the argument "more" is one too many'),
    (["info", "[more]"], 'the argument "[more]" is one too many'),
    (["info", "--json=maybe"], "--json takes no value"),
    (["generate"], "is required"),
    (["generate", MODEL], "--prompt or --prompt-file is required; see rapt generate --help"),
    (["inspect", MODEL, "--html", "/nowhere/page"], "--prompt or --prompt-file is required"),
    (["generate", MODEL, "--prompt", "a", "--prompt-file", "b"], "--prompt excludes --prompt-file"),
    (["generate", MODEL, "--prompt-file", ""], "--prompt-file is empty"),
    (["generate", "--prompt", "a"], "MODEL is required"),
    (["generate", "", "--prompt", "a"], "MODEL is empty"),
    (["generate", MODEL, "--prompt"], "--prompt needs a value"),
    (["generate", MODEL, "--prompt", ""], "--prompt is empty"),
    (["generate", MODEL, "--prompt", "a", "--prompt", "b"], "--prompt may stand only once"),
    (["generate", MODEL, "--prompt", "a", "--tokens", "0"], '--tokens is "0", but must be a whole number of at least 1'),
    (["generate", MODEL, "--prompt", "a", "--tokens", "-1"], '--tokens is "-1"'),
    (["generate", MODEL, "--prompt", "a", "--tokens", "[1]"], '--tokens is "[1]"'),
    (["generate", MODEL, "--prompt", "a", "--tokens", "1e3"], '--tokens is "1e3"'),
    (["generate", MODEL, "--prompt", "a", "--tokens", "18446744073709551616"], "of at least 1 and less than 2^63"),
    (["generate", MODEL, "--prompt", "a", "--tokens", "9223372036854775808"], "less than 2^63"),
    (["generate", MODEL, "--prompt", "a", "--temperature", "-0.1"], "--temperature is \"-0.1\", but must be a number not less than 0"),
    (["generate", MODEL, "--prompt", "a", "--temperature", "nan"], '--temperature is "nan"'),
    (["generate", MODEL, "--prompt", "a", "--temperature", "inf"], '--temperature is "inf"'),
    (["generate", MODEL, "--prompt", "a", "--seed", "18446744073709551616"], "of at least 0 and less than 2^64"),
    (["generate", MODEL, "--prompt", "a", "--top-k", "-1"], '--top-k is "-1"'),
    (["generate", MODEL, "--prompt", "a", "--top-k", "40"], "--top-k requires --temperature"),
    (["chat", CHAT_MODEL, "--top-p", "0.9"], "--top-p requires --temperature"),
    (["generate", MODEL, "--prompt", "a", "--top-p", "0"], "--top-p is \"0\", but must be a number greater than 0 and at most 1"),
    (["generate", MODEL, "--prompt", "a", "--top-p", "1.01"], '--top-p is "1.01"'),
    (["generate", MODEL, "--prompt", "a", "--repetition-penalty", "0"], "must be a number greater than 0"),
    (["generate", MODEL, "--prompt", "a", "--seed", "-1"], '--seed is "-1"'),
    (["generate", MODEL, "--prompt", "a", "--chunk", "0"], '--chunk is "0"'),
    (["generate", MODEL, "--prompt", "a", "--chunk", "257"], '--chunk is "257"'),
    (["generate", "--tokens", "3", "--", MODEL], "--prompt or --prompt-file is required"),
    (["generate", "--prompt", "a", "--tokens", "0", "--", MODEL], '--tokens is "0"'),
    (["generate", MODEL, "--prompt", "a", "--threads", "0"], '--threads is "0"'),
    (["generate", MODEL, "--prompt", "a", "--threads", "5000"], '"5000", but must be a whole number from 1 to 4096'),
    (["generate", MODEL, "--prompt", "a", "--backend", "onednn", "--kv-dtype", "f16"], "auto or f32 with --backend onednn"),
    (["generate", MODEL, "--prompt", "a", "--backend", "cuda"], "must be rapt, reference or onednn"),
    (["generate", MODEL, "--prompt", "a", "--isa", "sse2"], "must be scalar, avx2, avx512, avx512_intel, avx512_vnni, avx512_bf16 or amx_bf16"),
    (["generate", MODEL, "--prompt", "é"], "U+00E9"),
    (["generate", MODEL, "--prompt", "a" * 129], "129 tokens"),
    (["generate", MODEL, "--prompt", "a", "--arithmetic", "f64"], "must be int8, f32 or bf16"),
    (["generate", MODEL, "--prompt", "a", "--kv-dtype", "f64"], "must be auto, f32, bf16, f16 or int8"),
    (["inspect", MODEL, "--prompt", "a", "--html", "-", "--backend", "onednn"], "must be rapt or reference"),
    (["chat", CHAT_MODEL, "--tokens", "0"], '--tokens is "0"'),
    (["chat", CHAT_MODEL, "--system", ""], "--system is empty"),
    (["embed", BERT, "--file", "a", "b"], "TEXT excludes --file"),
    (["embed", BERT, "--kv-dtype", "f16", "a"], "there is no option --kv-dtype"),
    (["embed"], "MODEL is required"),
    (["tokenize", BERT, "--json-lines", "a"], "TEXT excludes --json-lines"),
    (["eval", MODEL], "--text is required"),
    (["compare", "--shape", "1,2,3"], "six"),
    (["compare", "--shape", "1,8,8,16,16,0"], "from 1 to"),
    (["compare", "--shape", "1,8,8,16,16,8,"], "nothing after"),
    (["compare", "--shape", "1,8,3,16,16,8"], "a multiple of the KV heads"),
    (["compare", "--shape", "16777216,1,1,16777216,1,1"], "2^31 elements"),
]


class Arguments(unittest.TestCase):
    def test_wrong_ones_get_one_line_and_exit_status_2(self):
        for arguments, answer in WRONG:
            with self.subTest(arguments=arguments):
                done = rapt(*arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn(answer, done.stderr)
                command = arguments[0] if arguments and arguments[0] in COMMANDS else None
                self.assertTrue(done.stderr.startswith(f"rapt {command}: " if command else "rapt: "), done.stderr)

    def test_help_goes_to_stdout_and_fits_a_terminal(self):
        for arguments in [["--help"], ["-h"], *([command, "--help"] for command in COMMANDS)]:
            with self.subTest(arguments=arguments):
                done = rapt(*arguments)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("Usage: " + " ".join(["rapt", *arguments[:-1]]), done.stdout)
                self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)

    def test_usage_names_what_is_required(self):
        self.assertIn("Usage: rapt generate MODEL --prompt TEXT [OPTIONS]\n", rapt("generate", "--help").stdout)
        self.assertIn("Usage: rapt inspect MODEL --prompt TEXT --html FILE [OPTIONS]\n", rapt("inspect", "--help").stdout)

    def test_arithmetic_that_the_level_lacks_is_named_as_its_option(self):
        done = rapt("generate", MODEL, "--prompt", "a", "--arithmetic", "bf16", "--isa", "scalar")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr.startswith("rapt generate: --arithmetic is bf16, which needs ISA level"), done.stderr)

    def test_control_characters_of_a_file_move_no_cursor(self):
        done = rapt("generate", "no\x1b[2Jwhere\n", "--prompt", "a")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("\x1b", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_help_names_every_command(self):
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", rapt("--help").stdout)

    def test_version(self):
        done = rapt("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\Arapt \d+\.\d+\.\d+\n\Z")

    def test_numbers_are_decimal_whatever_their_leading_zeros(self):
        done = rapt("generate", MODEL, "--prompt", "a", "--tokens", "010", "--stats")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("generation\t10 tokens\t", done.stderr)
