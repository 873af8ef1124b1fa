"""How the command's threads wait: asleep, unless the environment says otherwise. Read from the environment of the running process."""

import os
import pathlib
import unittest

from support import MODEL, rapt, start

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
ENDLESS = ["generate", MODEL, "--prompt", "JULIET:", "--tokens", 10_000_000, "--temperature", 1]


def while_it_computes(*arguments, **environment):
    """The environment and the name of the command while it writes text."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    process = start(*ENDLESS, *arguments, env={**inherited, **environment})
    try:
        assert process.stdout.read(1)
        folder = pathlib.Path(f"/proc/{process.pid}")
        entries = (folder / "environ").read_bytes().decode().split("\0")
        return dict(entry.split("=", 1) for entry in entries if "=" in entry), (folder / "comm").read_text().strip()
    finally:
        process.kill()
        process.communicate()


class Waiting(unittest.TestCase):
    def test_threads_sleep(self):
        environment, name = while_it_computes("--threads", 2)
        self.assertEqual(environment.get("OMP_WAIT_POLICY"), "passive")
        self.assertEqual(name, "rapt")

    def test_what_the_environment_says_is_kept(self):
        for variable, value in [("OMP_WAIT_POLICY", "active"), ("GOMP_SPINCOUNT", "1000"), ("KMP_BLOCKTIME", "5")]:
            with self.subTest(variable=variable):
                environment, _ = while_it_computes("--threads", 2, **{variable: value})
                self.assertEqual({name: environment[name] for name in VARIABLES if name in environment}, {variable: value})

    def test_one_thread_waits_for_none(self):
        for arguments, variables in [(["--threads", 1], {}), ([], {"OMP_NUM_THREADS": "1"})]:
            with self.subTest(arguments=arguments, variables=variables):
                environment, _ = while_it_computes(*arguments, **variables)
                self.assertNotIn("OMP_WAIT_POLICY", environment)

    def test_the_text_is_the_same(self):
        arguments = ["generate", MODEL, "--prompt", "JULIET:\nMy lord", "--tokens", 5, "--threads", 2]
        texts = {rapt(*arguments, OMP_WAIT_POLICY=policy).stdout for policy in ("passive", "active")}
        self.assertEqual(len(texts), 1)
