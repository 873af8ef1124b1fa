"""What a person at the terminal meets: the progress bar, Ctrl-C, and a reader that goes away."""

import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import unittest

from support import BERT, COMMAND, EVAL_TEXT, MODEL, run_with_terminal_as_stderr, start, with_long_context

ENDLESS = ["generate", MODEL, "--prompt", "JULIET:", "--tokens", 10_000_000, "--temperature", 1]


class Progress(unittest.TestCase):
    def test_bar_on_a_terminal_is_erased_at_the_end(self):
        status, stdout, shown = run_with_terminal_as_stderr("eval", MODEL, "--text", EVAL_TEXT)
        self.assertEqual(status, 0)
        self.assertTrue(stdout.startswith("tokens\t"))
        self.assertRegex(shown, r"\rloading \[#* *\] +\d+ %")
        self.assertRegex(shown, r"\rreading \[#+ *\] +\d+ %")
        self.assertTrue(shown.endswith("\r\x1b[K"))

    def test_bar_beside_lines_that_go_elsewhere(self):
        status, stdout, shown = run_with_terminal_as_stderr("embed", BERT, *["a"] * 100)
        self.assertEqual((status, stdout.count("\n")), (0, 100))
        self.assertRegex(shown, r"\rembedding \[#+ *\] +64 %")
        self.assertTrue(shown.endswith("\r\x1b[K"))

    def test_no_bar_on_a_terminal_that_cannot_draw(self):
        status, _, shown = run_with_terminal_as_stderr("eval", MODEL, "--text", EVAL_TEXT, term="dumb")
        self.assertEqual((status, shown), (0, ""))

    def test_no_bar_in_a_pipe(self):
        process = start("eval", MODEL, "--text", EVAL_TEXT)
        _, stderr = process.communicate(timeout=300)
        self.assertEqual((process.returncode, stderr), (0, b""))


class Interrupt(unittest.TestCase):
    def test_text_ends_with_its_line_and_the_statistics(self):
        process = start(*ENDLESS, "--stats")
        first = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        rest, stderr = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(len(first), 1)
        self.assertTrue((first + rest).endswith(b"\n"))  # the first byte may be that line end
        lines = stderr.decode().splitlines()
        self.assertEqual([line.split("\t")[0] for line in lines], ["prompt", "generation"])
        written = int(lines[1].split("\t")[1].removesuffix(" tokens"))
        # A newline may be added; the signal may come between a token and its text, which is then left out (on_token in engine.h).
        self.assertIn(written - len(first + rest), (1, 0, -1))

    def test_commands_stop_without_a_result(self):
        compare = ["compare", "--shape", "2,8,8,8192,8192,64"]  # one call of the reference takes minutes
        for arguments, status in [(["eval", MODEL, "--text", "/dev/stdin"], 130), (compare, -signal.SIGINT)]:
            with self.subTest(arguments=arguments):
                process = start(*arguments, "--threads", 1, stdin=subprocess.PIPE)  # no faster where there are many CPUs
                if arguments[0] == "eval":
                    with open(EVAL_TEXT, "rb") as text:
                        process.stdin.write(text.read() * 200)
                process.stdin.close()
                process.stdin = None
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(timeout=1)
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=300)
                self.assertEqual((process.returncode, stdout, stderr), (status, b"", b""))

    def test_a_long_prompt_is_left(self):
        with tempfile.TemporaryDirectory() as folder:
            for command, stdout in [("generate", b""), ("chat", b"\n")]:  # an answer of no words has a line
                with self.subTest(command=command):
                    prompt = pathlib.Path(folder, "prompt")
                    prompt.write_text("a" * 300_000)
                    words = ["--prompt-file", prompt] if command == "generate" else []
                    with open(prompt) as lines:
                        process = start(command, with_long_context(folder), *words, "--threads", 1, stdin=lines)
                    self.addCleanup(process.kill)
                    with self.assertRaises(subprocess.TimeoutExpired):
                        process.wait(timeout=1.5)
                    process.send_signal(signal.SIGINT)
                    said = process.communicate(timeout=60)
                    self.assertEqual((process.returncode, *said), (130, stdout, b""))

    def test_the_first_one_ends_the_wait_for_a_terminals_input(self):
        for arguments in [["embed", BERT], ["tokenize", BERT], ["tokenize", BERT, "--json-lines"], ["eval", MODEL, "--text", "/dev/stdin"]]:
            with self.subTest(arguments=arguments):
                ours, theirs = pty.openpty()
                process = start(*arguments, stdin=theirs)
                os.close(theirs)
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(timeout=0.5)
                process.send_signal(signal.SIGINT)
                try:
                    self.assertEqual(process.wait(timeout=10), -signal.SIGINT)
                finally:
                    process.kill()
                    process.communicate()
                    os.close(ours)


class EndOfInput(unittest.TestCase):
    def test_one_control_d_ends_a_terminals_input(self):
        ours, theirs = pty.openpty()
        process = start("tokenize", MODEL, stdin=theirs)
        os.close(theirs)
        os.write(ours, b"abc\n\x04")
        try:
            self.assertEqual(process.wait(timeout=10), 0)
        finally:
            process.kill()
            process.communicate()
            os.close(ours)


class ClosedPipe(unittest.TestCase):
    def test_ends_silently_when_the_reader_goes_away(self):
        process = start(*ENDLESS)
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=300), -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()

    def test_ends_with_a_message_where_the_signal_is_ignored(self):
        process = subprocess.Popen(
            ["sh", "-c", "trap '' PIPE; exec \"$@\"", "sh", *COMMAND, *map(str, ENDLESS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=300), 1)
        self.assertEqual(process.stderr.read(), b"rapt generate: cannot write to the standard output: Broken pipe\n")
        process.stderr.close()

