"""What the tests of the rapt command share: running it, and the bundled model with what it must compute."""

import json
import os
import pathlib
import pty
import re
import shlex
import struct
import subprocess

COMMAND = shlex.split(os.environ["RAPT_COMMAND"])  # words of a shell: perhaps with an emulator before it, or with a space in a path
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MODEL = str(REPOSITORY / "tools/models/nanogpt-char/model.safetensors")
CHAT_MODEL = str(REPOSITORY / "tests/data/chat/model.gguf")  # answers ANSWER; tests/golden/make_chat_model.py
ENDLESS_MODEL = str(REPOSITORY / "tests/data/chat/endless.gguf")  # the same again and again
ANSWER = "Thé 漢!"
BERT = str(REPOSITORY / "tests/data/bert")
EVAL_TEXT = str(REPOSITORY / "tests/data/nanogpt-char/eval.txt")


# Waiting threads sleep: two that spin on a busy machine make a test of seconds one of minutes.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def with_long_context(folder):
    """The path of CHAT_MODEL with a context of 2^20 tokens, a prompt of which takes minutes."""
    data = bytearray(pathlib.Path(CHAT_MODEL).read_bytes())
    value = data.index(key := b"llama.context_length") + len(key) + 4  # behind the key its type
    data[value : value + 4] = struct.pack("<I", 1 << 20)
    path = pathlib.Path(folder, "long.gguf")
    path.write_bytes(data)
    return path


def golden():
    """Prompt, text and losses that nanoGPT's own code computed: the metadata of the golden file."""
    data = (REPOSITORY / "tests/data/nanogpt-char/golden.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size])["__metadata__"]


def rapt(*arguments, input=None, **environment):
    """The finished command: returncode, stdout, stderr. input: a text for its stdin."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **environment},
        **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
        capture_output=True,
        text=True,
        timeout=300,
    )
    done.stderr = re.sub(r"^qemu-.*: warning: .*\n", "", done.stderr, flags=re.MULTILINE)  # the emulator's, not ours
    return done


def json_lines(*arguments, **more):
    """What a command that must succeed without a word writes, a JSON value a line."""
    done = rapt(*arguments, **more)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def start(*arguments, **options):
    """The running command, with unbuffered pipes for what `options` does not say."""
    pipes = {"bufsize": 0, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **pipes)


def run_with_terminal_as_stderr(*arguments, term="xterm"):
    """(returncode, stdout, what the terminal got) with stderr on a pseudo-terminal."""
    ours, theirs = pty.openpty()
    process = start(*arguments, stderr=theirs, env={**os.environ, "TERM": term})
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # EIO: the command has closed the terminal
        pass
    stdout, _ = process.communicate(timeout=300)
    os.close(ours)
    return process.returncode, stdout.decode(), shown.decode()
