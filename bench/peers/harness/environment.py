"""Sets up what a comparison needs under build/peers: Debian packages, a virtual environment with the peers, rapt's own
Python package built from this checkout, and bench_machine. Layer: bench/peers/harness; runs in any Python 3.10.

A peer that cannot be installed is left out; the comparison names it. A second run installs only what has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

from .errors import Failure

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / "build" / "peers"
LOGS = ROOT / "build" / "logs"
VENV = HOME / "venv"
PYTHON, PIP = VENV / "bin" / "python", VENV / "bin" / "pip"
PACKAGE_BUILD = HOME / "package"  # where pip builds rapt
# What the environment has, noted inside it: they go together.
COMMIT = VENV / "rapt-commit"  # what pip built rapt from
RAPT_STAMP = VENV / "installed-rapt"
BENCH_BUILD = HOME / "bench"
BENCH_MACHINE = BENCH_BUILD / "bench" / "bench_machine"

DEBIAN_PACKAGES = (
    "cmake ninja-build g++ pkg-config libpcre2-dev libutf8proc-dev zlib1g-dev nlohmann-json3-dev rapidjson-dev libdnnl-dev libbenchmark-dev"
    " libcli11-dev python3-dev python3-venv"
)
SOURCES = ["CMakeLists.txt", "pyproject.toml", "cmake", "include", "kernels", "engine", "tools/python"]  # of rapt's package
BUILD_REQUIREMENTS = ["scikit-build-core>=0.10", "nanobind>=2.4", "ml_dtypes"]

CMAKE_OPTIONS = ["-DCMAKE_BUILD_TYPE=Release", *(f"-DRAPT_{part}=OFF" for part in ("TESTS", "TOOLS", "ENGINE", "INSTALL"))]


def run(log: Path, command: list[str], **environment: str) -> None:
    """Appends the command's output to the log. Raises Failure with the last line that says something."""
    with log.open("a") as out:
        try:
            status = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                    env={**os.environ, **environment}).returncode  # fmt: skip
        except OSError as error:
            raise Failure(f"{command[0]}: {error.strerror}") from None
    if status:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        raise Failure((errors or lines or [f"exit status {status}"])[-1].strip())


def step(title: str, name: str, action: Callable[[Path], None], needed: bool = True) -> None:
    """One line on the screen; the output in build/logs. Unless `needed`, a failure is only told."""
    log = LOGS / f"peers-{name.replace(' ', '-')}.log"
    log.unlink(missing_ok=True)
    print(f"{title} ...", end="", flush=True)
    start = time.monotonic()
    try:
        action(log)
    except Failure as error:
        print(f" failed: {error} (the whole log: {log.relative_to(ROOT)})", flush=True)
        if needed:
            raise Failure(f"{title}: failed") from None
        return
    print(f" {time.monotonic() - start:.0f} s", flush=True)


def digest(paths: list[str]) -> str:
    """Of all files below `paths`."""
    files = sorted(file for path in paths for file in ([ROOT / path] if (ROOT / path).is_file() else (ROOT / path).rglob("*")))
    total = hashlib.sha256()
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            total.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def once(stamp: Path, content: str, action: Callable[[], None]) -> None:
    """Skips the action where the stamp says that it has been done for this content."""
    if stamp.exists() and stamp.read_text() == content:
        return
    stamp.unlink(missing_ok=True)
    action()
    stamp.write_text(content)


def install_debian(log: Path) -> None:
    run(log, ["bash", "-c", f"source tools/setup.sh && need_packages {DEBIAN_PACKAGES}"])


def make_venv(log: Path) -> None:
    if PIP.exists():  # the last that venv makes: one that was interrupted is made again
        return
    system = Path("/usr/bin/python3")  # the one whose headers python3-dev has
    run(log, [str(system if system.exists() else sys.executable), "-m", "venv", str(VENV)])


def pip(log: Path, *arguments: str) -> None:
    native = {"CMAKE_ARGS": "-DGGML_NATIVE=ON"}  # llama.cpp is built here, for this CPU
    run(log, [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *arguments], **native)


def install_peer(requirements: list[str]) -> Callable[[Path], None]:
    stamp = VENV / f"installed-{hashlib.sha256(' '.join(requirements).encode()).hexdigest()[:12]}"
    return lambda log: once(stamp, "\n".join(requirements), lambda: pip(log, *requirements))


def git(*arguments: str) -> str:
    """Its output; "" where there is no git, or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit() -> str:
    """Of the checkout, with "+changes" where a source differs from it."""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+changes" if changed else "")


def install_rapt(log: Path) -> None:
    def install() -> None:
        pip(log, *BUILD_REQUIREMENTS)
        pip(log, "--no-build-isolation", "--no-deps", "--force-reinstall",
            f"--config-settings=build-dir={PACKAGE_BUILD}",
            "--config-settings=cmake.define.CMAKE_EXPORT_COMPILE_COMMANDS=ON", ".")  # fmt: skip
        COMMIT.write_text(commit())

    once(RAPT_STAMP, digest(SOURCES), install)


def build_bench_machine(log: Path) -> None:
    cache = BENCH_BUILD / "CMakeCache.txt"
    if cache.exists() and f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT}" not in cache.read_text().splitlines():
        shutil.rmtree(BENCH_BUILD)  # of a checkout that was moved or copied: CMake refuses it
    if not (BENCH_BUILD / "build.ninja").exists():
        run(log, ["cmake", "-S", ".", "-B", str(BENCH_BUILD), "-G", "Ninja", *CMAKE_OPTIONS])
    run(log, ["cmake", "--build", str(BENCH_BUILD), "--target", "bench_machine"])


def set_up(peers: dict[str, list[str]]) -> None:
    """peers: name -> what pip installs for it."""
    HOME.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    step("Debian packages", "debian", install_debian)
    step("Virtual environment build/peers/venv", "venv", make_venv)
    step("rapt's Python package from this checkout", "rapt", install_rapt)
    step("bench_machine, for the limits of this machine", "bench", build_bench_machine)
    for name, requirements in peers.items():
        step(f"{name}: pip install {' '.join(requirements)}", name, install_peer(requirements), needed=False)


def entered() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def enter() -> None:
    """Goes on in the virtual environment: runs this program again with its Python."""
    for needed in (PYTHON, RAPT_STAMP, BENCH_MACHINE):
        if not needed.exists():
            raise Failure(f"{needed.relative_to(ROOT)} does not exist; run once without --no-setup")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
