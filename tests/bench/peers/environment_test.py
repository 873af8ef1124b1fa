"""bench/peers/harness/environment.py: what is missing, half made or of another checkout. Nothing is installed."""

import pathlib
import tempfile
import unittest
from unittest import mock

import support  # noqa: F401
from harness import environment
from harness.errors import Failure


class Environment(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.log = self.root / "log"
        self.patch(ROOT=self.root, VENV=self.root / "venv", PYTHON=self.root / "venv/bin/python", PIP=self.root / "venv/bin/pip",
                   RAPT_STAMP=self.root / "venv/installed-rapt", BENCH_BUILD=self.root / "bench", BENCH_MACHINE=self.root / "bench/machine")  # fmt: skip

    def patch(self, **values):
        patch = mock.patch.multiple(environment, **values)
        patch.start()
        self.addCleanup(patch.stop)

    def make(self, path, text=""):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ran(self, action):
        """The commands of an action, none of which is run."""
        commands = []
        with mock.patch.object(environment, "run", lambda log, command, **more: commands.append(command)):
            action(self.log)
        return commands

    def test_a_program_that_is_missing_is_a_failure_and_git_is_not_needed(self):
        with self.assertRaisesRegex(Failure, "no-such-program: No such file"):
            environment.run(self.log, ["no-such-program"])
        with mock.patch.dict("os.environ", PATH=str(self.root)):
            self.assertEqual(environment.commit(), "unknown")

    def test_an_environment_without_pip_is_made_again(self):
        self.make(environment.PYTHON)
        self.assertEqual(len(self.ran(environment.make_venv)), 1)
        self.make(environment.PIP)
        self.assertEqual(self.ran(environment.make_venv), [])

    def test_what_is_installed_goes_with_the_environment(self):
        environment.VENV.mkdir()
        install = environment.install_peer(["numpy"])
        self.assertEqual([len(self.ran(install)) for _ in range(2)], [1, 0])
        environment.VENV.rename(self.root / "gone")
        environment.VENV.mkdir()
        self.assertEqual(len(self.ran(install)), 1)

    def test_a_build_of_another_checkout_is_made_anew(self):
        for home, expected in ((self.root, 1), ("/elsewhere", 2)):
            self.make(environment.BENCH_BUILD / "build.ninja")
            self.make(environment.BENCH_BUILD / "CMakeCache.txt", f"# a cache\nCMAKE_HOME_DIRECTORY:INTERNAL={home}\n")
            self.assertEqual(len(self.ran(environment.build_bench_machine)), expected)

    def test_what_is_missing_without_a_set_up_is_named(self):
        for path, name in ((environment.PYTHON, "venv/bin/python"), (environment.RAPT_STAMP, "venv/installed-rapt"), (environment.BENCH_MACHINE, "bench/machine")):
            with self.assertRaisesRegex(Failure, f"{name} does not exist; run once without --no-setup"):
                environment.enter()
            self.make(path)


if __name__ == "__main__":
    unittest.main()
