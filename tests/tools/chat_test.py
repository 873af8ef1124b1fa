"""`rapt chat`: answers to lines of a pipe and of a terminal, its words, and Ctrl-C."""

import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import time
import unittest

from support import ANSWER, CHAT_MODEL, ENDLESS_MODEL, MODEL, rapt, start


def wait_until_asleep(process):
    """Its read() does not see a signal that came just before."""
    while pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "SZ":
        time.sleep(0.01)


class Pipe(unittest.TestCase):
    def chat(self, lines, *options, model=CHAT_MODEL):
        return rapt("chat", model, *options, input=lines)

    def test_every_line_is_answered(self):
        done = self.chat("hello\nyou\n\nlast")  # the empty one is none, the last one has no end
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, (ANSWER + "\n") * 3, ""))

    def test_lines_of_windows(self):
        done = self.chat("one\r\n\r\n/exit\r\ntwo\r\n", "--stats")
        self.assertEqual((done.stdout, self.tokens(done)), (ANSWER + "\n", [22, 9]))
        self.assertEqual(self.tokens(self.chat("one\r", "--stats")), [22, 9])

    def test_a_nul_is_refused_and_not_the_end_of_a_question(self):
        done = self.chat("one\0two\none\n", "--stats")
        self.assertEqual((done.returncode, done.stdout), (1, ANSWER + "\n"))
        self.assertEqual(done.stderr.splitlines()[0], "rapt chat: what you said has a NUL in it")

    def test_exit_ends_and_clear_begins_anew(self):
        self.assertEqual(self.chat("one\n/exit\ntwo\n").stdout, ANSWER + "\n")
        self.assertEqual(self.tokens(self.chat("one\n/clear\none\n", "--stats"))[::2], [22, 1])  # all but the last token was there

    def test_a_conversation_costs_what_is_new(self):
        counts = self.tokens(self.chat("one\none\n", "--stats"))
        self.assertEqual(counts, [22, 9, 24, 9])  # <|im_start|>user\none<|im_end|>\n<|im_start|>assistant\n, then <|im_end|>\n before it

    def test_system_prompt_and_limits(self):
        plain = self.tokens(self.chat("one\n", "--stats"))[0]
        self.assertEqual(self.tokens(self.chat("one\n", "--stats", "--system", "abc"))[0], plain + len("system\nabc\n") + 2)
        self.assertEqual(self.chat("one\n", "--tokens", 4).stdout, "Thé\n")  # the bytes T, h, and the two of é

    def test_full_context_forgets_the_beginning(self):
        done = self.chat("".join(f"{i:040}\n" for i in range(5)))  # the context holds 160 tokens
        self.assertEqual((done.returncode, done.stdout), (0, (ANSWER + "\n") * 5))
        self.assertIn("(the beginning of the conversation is forgotten: the context is full)\n", done.stderr)
        done = self.chat("x" * 200 + "\nshort\n")
        self.assertEqual((done.returncode, done.stdout), (1, ANSWER + "\n"))
        self.assertRegex(done.stderr, r"\Arapt chat: what you said has 2\d\d tokens; of the model's context of 160 it may take 140\n\Z")

    def test_a_question_that_is_too_long_is_forgotten_alone(self):
        done = self.chat("one\n" + "x" * 200 + "\ntwo\n", "--stats")
        self.assertEqual((done.returncode, done.stdout), (1, (ANSWER + "\n") * 2))
        lines = [line.split("\t") for line in done.stderr.splitlines()]
        self.assertRegex(lines.pop(2)[0], r"\Arapt chat: what you said has 219 tokens; ")
        self.assertEqual([line[1] for line in lines], ["22 tokens", "9 tokens", "24 tokens", "9 tokens"])  # as without it
        done = self.chat("x" * 200 + "\n", "--system", "abc")
        self.assertRegex(done.stderr, r"\Arapt chat: what you said has 2\d\d tokens together with the system text; ")

    def test_control_c_ends_it_while_it_answers_or_waits(self):
        with tempfile.TemporaryFile() as lines:
            lines.write(b"hello\n" * 100_000)
            lines.seek(0)
            process = start("chat", ENDLESS_MODEL, stdin=lines)
            self.addCleanup(process.kill)
            process.stdout.read(1)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130)
        process = start("chat", ENDLESS_MODEL, stdin=subprocess.PIPE)
        self.addCleanup(process.kill)
        process.stdin.write(b"/help\n")
        while b"/clear begins" not in (line := process.stderr.readline()):
            self.assertNotEqual(line, b"", "it ended before it helped")
        wait_until_asleep(process)
        process.send_signal(signal.SIGINT)
        self.assertEqual((process.wait(timeout=60), *process.communicate()), (130, b"", b""))

    def test_a_model_without_a_chat_format_is_refused(self):
        done = self.chat("one\n", model=MODEL)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no chat format", done.stderr)

    def tokens(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return [int(line.split("\t")[1].removesuffix(" tokens")) for line in done.stderr.splitlines()]


class Terminal(unittest.TestCase):
    """A person at a terminal, whose answers go into a pipe."""

    def setUp(self):
        self.ours, theirs = pty.openpty()
        self.process = start("chat", ENDLESS_MODEL, stdin=theirs, preexec_fn=os.setsid)
        os.close(theirs)
        self.said = b""

    def tearDown(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        self.process.stdout.close()
        self.process.stderr.close()

    def shown(self, text):
        """Reads stderr until it has shown the text."""
        while text not in self.said:
            piece = os.read(self.process.stderr.fileno(), 4096)
            self.assertTrue(piece, self.said)
            self.said += piece
        self.said = self.said.split(text, 1)[1]

    def test_control_c_stops_an_answer_and_not_the_program(self):
        self.shown(b"> ")
        for _ in range(2):
            os.write(self.ours, b"hello\n")
            while not self.process.stdout.read(1):
                pass
            self.process.send_signal(signal.SIGINT)
            self.shown(b"> ")  # after the last of the answer, which a pipe has room for
            self.assertTrue(os.read(self.process.stdout.fileno(), 1 << 20).endswith(b"\n"))
        wait_until_asleep(self.process)
        self.process.send_signal(signal.SIGINT)  # while it waits
        self.shown(b"\n> ")
        os.write(self.ours, b"\x04")  # Ctrl-D
        self.assertEqual(self.process.wait(timeout=60), 0)

    def test_exit_ends(self):
        self.shown(b"/exit")
        self.shown(b"> ")
        os.write(self.ours, b"/exit\n")
        self.assertEqual(self.process.wait(timeout=60), 0)
