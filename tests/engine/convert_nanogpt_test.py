#!/usr/bin/env python3
"""tools/convert_nanogpt.py: a checkpoint comes over whole, whatever its precision; a hostile or broken one is refused in one
line and runs nothing. Needs NumPy; exits with 77, which CTest shows as skipped, where there is none."""
import collections
import contextlib
import io
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import zipfile

try:
    import numpy as np
except ImportError:
    print("skipped: this Python has no NumPy")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "tests" / "data"
CONVERTER = ROOT / "tools" / "convert_nanogpt.py"
sys.path.insert(0, str(CONVERTER.parent))
sys.dont_write_bytecode = True
import convert_nanogpt  # noqa: E402

CHECKPOINT, META = DATA / "convert" / "ckpt.pt", DATA / "convert" / "meta.pkl"


def read_safetensors(path):
    raw = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    metadata = header.pop("__metadata__", {})
    arrays, at = {}, 0
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data = raw[8 + length + begin:8 + length + end]
        if entry["dtype"] == "BF16":
            array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        else:
            array = np.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        arrays[name] = array.reshape(entry["shape"])
        at = max(at, end)
    assert 8 + length + at == len(raw)
    return arrays, metadata


class Storage:
    """Pickles as torch's storages do: a persistent id."""

    def __init__(self, key, kind="FloatStorage", count=0):
        self.pid = ("storage", Global(f"torch.{kind}"), key, "cpu", count)


class Global:
    def __init__(self, name):
        self.name = name


class Tensor:
    def __init__(self, storage, shape, offset=0, strides=None):
        self.storage, self.shape, self.offset = storage, shape, offset
        self.strides = strides or tuple(int(np.prod(shape[i + 1:])) for i in range(len(shape)))


class Pickler(pickle._Pickler):
    """Writes the names of Global and the calls of Tensor without PyTorch being there."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            module, name = obj.name.rsplit(".", 1)
            self.write(b"c" + module.encode() + b"\n" + name.encode() + b"\n")
        elif isinstance(obj, Tensor):
            self.save(Global("torch._utils._rebuild_tensor_v2"))
            self.save((obj.storage, obj.offset, obj.shape, obj.strides, False, collections.OrderedDict()))
            self.write(b"R")
        else:
            super().save(obj, save_persistent_id)


def pickled(obj):
    file = io.BytesIO()
    Pickler(file, 2).dump(obj)
    return file.getvalue()


ARGUMENTS = {"n_layer": 1, "n_head": 1, "n_embd": 2, "block_size": 3, "bias": False, "vocab_size": 4, "dropout": 0.0}
SHAPES = {"transformer.wte.weight": (4, 2), "transformer.wpe.weight": (3, 2), "transformer.h.0.ln_1.weight": (2,),
          "transformer.h.0.attn.c_attn.weight": (6, 2), "transformer.h.0.attn.c_proj.weight": (2, 2), "transformer.h.0.ln_2.weight": (2,),
          "transformer.h.0.mlp.c_fc.weight": (8, 2), "transformer.h.0.mlp.c_proj.weight": (2, 8), "transformer.ln_f.weight": (2,)}


class ConverterTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.output = self.folder / "out.safetensors"

    def tearDown(self):
        self.scratch.cleanup()

    def run_converter(self, *arguments):
        """In this process, because starting NumPy a hundred times takes longer than all the rest."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = convert_nanogpt.main([str(a) for a in arguments])
            except SystemExit as stop:
                status = stop.code
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def convert(self, *arguments):
        result = self.run_converter(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return read_safetensors(self.output)

    def assert_refused(self, *arguments, status=1, parts=()):
        result = self.run_converter(*arguments)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("convert_nanogpt.py: "), result.stderr)
        for part in parts:
            self.assertIn(part, result.stderr)
        self.assertFalse(self.output.exists())
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith(".convert")], [])

    def archive(self, checkpoint, storages=None, compression=zipfile.ZIP_STORED, data_pkl=None):
        """A zip file as torch.save writes it, from a checkpoint made of the classes above."""
        path = self.folder / "made.pt"
        with zipfile.ZipFile(path, "w", compression) as file:
            file.writestr("made/data.pkl", data_pkl if data_pkl is not None else pickled(checkpoint))
            for key, data in (storages or {}).items():
                file.writestr(f"made/data/{key}", data)
        return path

    def tiny(self, change=None, storages=None):
        """A whole tiny checkpoint; change(model, arguments) may spoil it."""
        model, arguments = collections.OrderedDict(), dict(ARGUMENTS)
        data = {}
        for i, (name, shape) in enumerate(SHAPES.items()):
            model[name] = Tensor(Storage(str(i)), shape)
            data[str(i)] = (np.arange(np.prod(shape), dtype="<f4") + i).tobytes()
        if change:
            change(model, arguments)
        return self.archive({"model": model, "model_args": arguments}, data | (storages or {}))

    # What PyTorch wrote comes over, and is the model that Hugging Face saved from the same weights.
    def test_converts_a_compiled_checkpoint(self):
        arrays, metadata = self.convert(CHECKPOINT, META, self.output, "--activation", "gelu_tanh")
        expected, _ = read_safetensors(DATA / "gpt2" / "model.safetensors")
        self.assertEqual(len(arrays), len(expected))
        for name, array in expected.items():
            conv1d = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
            np.testing.assert_array_equal(arrays[name], array.T if conv1d else array, name)
        config = json.loads(metadata["rapt.config"])
        self.assertEqual(config, {"n_layer": 2, "n_head": 3, "n_embd": 24, "block_size": 24, "vocab_size": 100, "bias": True,
                                  "activation": "gelu_tanh", "layer_norm_eps": 1e-5})
        self.assertEqual(metadata["rapt.family"], "gpt2")
        tokenizer = json.loads(metadata["rapt.tokenizer"])
        self.assertEqual(tokenizer["type"], "characters")
        self.assertEqual(tokenizer["characters"][-5:], ["\n", "é", "λ", "漢", "🙂"])

    def test_links_and_permissions_stay_and_what_is_no_file_is_refused(self):
        target, link, pipe = (self.folder / name for name in ("target", "link", "pipe"))
        target.touch(mode=0o600)
        link.symlink_to(target)
        os.mkfifo(pipe)
        self.assertEqual(self.run_converter(CHECKPOINT, META, link).returncode, 0)
        self.assertTrue(link.is_symlink())
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)
        self.assertEqual(len(read_safetensors(target)[0]), 28)
        self.assert_refused(CHECKPOINT, META, pipe, parts=["cannot write ", "it is not a regular file"])
        self.assertTrue(pipe.is_fifo())

    def test_precisions(self):
        exact, _ = self.convert(CHECKPOINT, META, self.output)
        for dtype, bits in (("f16", 11), ("bf16", 8)):
            arrays, _ = self.convert(CHECKPOINT, self.output, "--dtype", dtype)
            for name, array in exact.items():
                np.testing.assert_allclose(arrays[name].astype("f4"), array, rtol=2.0**-bits, atol=2.0**-24)

    def test_bfloat16_rounds_to_nearest_even(self):
        one, ulp = 0x3F800000, 1 << 16
        values = np.array([one + ulp // 2, one + ulp + ulp // 2, one + ulp // 2 + 1, one + ulp // 2 - 1], "<u4").view("<f4")

        def change(model, _):
            model["transformer.h.0.attn.c_proj.weight"] = Tensor(Storage("x"), (2, 2))

        arrays, _ = self.convert(self.tiny(change, {"x": values.tobytes()}), self.output, "--dtype", "bf16")
        bits = arrays["transformer.h.0.attn.c_proj.weight"].view("<u4").ravel()
        self.assertEqual(list((bits - one) // ulp), [0, 2, 1, 0])

    def test_tokenizers(self):
        _, metadata = self.convert(self.tiny(), self.output)
        self.assertEqual(json.loads(metadata["rapt.tokenizer"]), {"type": "none"})
        for size in (50257, 50304):
            def change(model, arguments):
                arguments["vocab_size"] = size
                model["transformer.wte.weight"] = Tensor(Storage("w"), (size, 2))
            _, metadata = self.convert(self.tiny(change, {"w": bytes(size * 8)}), self.output)
            self.assertEqual(json.loads(metadata["rapt.tokenizer"]), {"type": "bpe"})

    # Views with strides and offsets, and other storage types, as a fine-tuned or half-precision checkpoint has them.
    def test_views_and_types(self):
        def change(model, arguments):
            del arguments["bias"]  # nanoGPT before it had the argument
            model["transformer.h.0.attn.c_proj.weight"] = Tensor(Storage("v"), (2, 2), offset=1, strides=(1, 3))
            model["transformer.ln_f.weight"] = Tensor(Storage("b", "BFloat16Storage"), (2,))
            model["transformer.h.0.ln_2.weight"] = Tensor(Storage("h", "HalfStorage"), (2,))
            model["transformer.h.0.ln_1.weight"] = Tensor(Storage("d", "DoubleStorage"), (2,))
            model["lm_head.weight"] = Tensor(Storage("0"), (4, 2))

        storages = {"v": np.arange(8, dtype="<f4").tobytes(), "b": np.array([0x3f80, 0xc000], "<u2").tobytes(),
                    "h": np.array([0.5, 3], "<f2").tobytes(), "d": np.array([0.25, 7], "<f8").tobytes()}
        arrays, metadata = self.convert(self.tiny(change, storages), self.output)
        self.assertEqual(arrays["transformer.h.0.attn.c_proj.weight"].tolist(), [[1, 4], [2, 5]])
        self.assertEqual(arrays["transformer.ln_f.weight"].tolist(), [1, -2])
        self.assertEqual(arrays["transformer.h.0.ln_2.weight"].tolist(), [0.5, 3])
        self.assertEqual(arrays["transformer.h.0.ln_1.weight"].tolist(), [0.25, 7])
        self.assertNotIn("lm_head.weight", arrays)
        self.assertIs(json.loads(metadata["rapt.config"])["bias"], False)

    def test_a_head_of_its_own_is_kept(self):
        def change(model, _):
            model["lm_head.weight"] = Tensor(Storage("head"), (4, 2))
        arrays, _ = self.convert(self.tiny(change, {"head": np.full(8, 9, "<f4").tobytes()}), self.output)
        self.assertEqual(arrays["lm_head.weight"].tolist(), [[9, 9]] * 4)

    # A pickle is a program; none of these runs.
    def test_hostile_pickles_are_refused_by_name(self):
        witness = self.folder / "witness"

        class Payload:
            def __init__(self, function, *arguments):
                self.function, self.arguments = function, arguments

            def __reduce__(self):
                return self.function, self.arguments

        payloads = {"posix.system": Payload(os.system, f"touch {witness}"), "builtins.exec": Payload(exec, f"open({str(witness)!r}, 'w')"),
                    "builtins.eval": Payload(eval, "1"), "subprocess.Popen": Payload(subprocess.Popen, ["touch", str(witness)]),
                    "builtins.getattr": Payload(getattr, "x", "upper")}
        for name, payload in payloads.items():
            with self.subTest(name):
                raw = pickle.dumps({"model": payload, "model_args": {}}, protocol=2 if name != "posix.system" else 4)
                # Protocol 2 writes Python 2's names for builtins; either way it is named and refused.
                self.assert_refused(self.archive(None, data_pkl=raw), self.output, parts=("refused", name.split(".")[1]))
                (self.folder / "meta.pkl").write_bytes(pickle.dumps({"itos": payload}))
                self.assert_refused(CHECKPOINT, self.folder / "meta.pkl", self.output, parts=("refused", name.split(".")[1]))
        self.assertFalse(witness.exists())

    # Even the names that are allowed can neither be changed nor called as something else.
    def test_allowed_names_stay_what_they_are(self):
        rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
        for raw, part in ((b"\x80\x02" + rebuild + b"}X\x08\x00\x00\x00functionK\x01sb.", "not a readable pickle"),
                          (b"\x80\x02" + rebuild + b"N}X\x04\x00\x00\x00nameK\x01s\x86b.", "set an attribute"),
                          (b"\x80\x02ctorch\nFloatStorage\n)R.", "call FloatStorage"),
                          (b"\x80\x02" + rebuild + b")R.", "not a readable pickle"),
                          (b"\x80\x02" + rebuild + b"(K\x00K\x00))K\x00NtR.", "storage"),
                          (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
                          (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "__globals__")):
            self.assert_refused(self.archive(None, data_pkl=raw), self.output, parts=(part,))

    def test_broken_files(self):
        self.assert_refused(self.folder / "absent.pt", self.output, parts=("cannot read", "absent.pt"))
        self.assert_refused(self.folder, self.output, parts=("cannot read",))
        self.assert_refused(META, self.output, parts=("not a zip file",))
        raw = CHECKPOINT.read_bytes()
        for size in (0, 10, 1000, len(raw) // 2, len(raw) - 1):
            (self.folder / "cut.pt").write_bytes(raw[:size])
            self.assert_refused(self.folder / "cut.pt", self.output, parts=("cut.pt",))
        self.assert_refused(self.archive(None, data_pkl=pickled({"model": {}})[:-3]), self.output, parts=("not a readable pickle",))
        self.assert_refused(self.archive({"model": {}}), self.output, parts=("'model_args'",))
        self.assert_refused(self.archive([1]), self.output, parts=("not a nanoGPT checkpoint",))
        self.assert_refused(self.archive({"model": {"a": 1}, "model_args": {}}), self.output, parts=("tensors by name",))
        self.assert_refused(self.archive({}, compression=zipfile.ZIP_DEFLATED), self.output, parts=("compressed",))
        self.assert_refused(CHECKPOINT, META, self.folder / "no" / "such" / "folder.safetensors", parts=("cannot write",))

    # What zipfile raises of a damaged directory is not BadZipFile alone.
    def test_damaged_directories_are_one_line_that_names_the_file(self):
        whole = self.tiny().read_bytes()
        entry, last = whole.find(b"PK\x01\x02"), whole.rfind(b"PK\x01\x02")
        for what, changes in (("a version to come", {entry + 6: 99}), ("a name that is no UTF-8", {entry + 9: 8, entry + 46: 0xFF}),
                              ("a version to come in the last", {last + 6: 99})):
            with self.subTest(what):
                raw = bytearray(whole)
                for at, value in changes.items():
                    raw[at] = value
                (self.folder / "damaged.pt").write_bytes(raw)
                self.assert_refused(self.folder / "damaged.pt", self.output, parts=(f"{self.folder / 'damaged.pt'} is a damaged zip file",))

    def test_every_flipped_byte_of_the_directory_is_survived(self):
        whole = self.tiny().read_bytes()
        path, refused = self.folder / "flipped.pt", 0
        for at in range(whole.find(b"PK\x01\x02"), len(whole)):
            for flip in (0x21, 0xC0):
                raw = bytearray(whole)
                raw[at] ^= flip
                path.write_bytes(raw)
                try:
                    tensors, arguments = convert_nanogpt.read_checkpoint(str(path))
                    config = convert_nanogpt.model_config(str(path), tensors, arguments, "gelu_erf")
                    convert_nanogpt.read_weights(str(path), tensors, config)
                except (convert_nanogpt.BadFile, OSError) as error:
                    self.assertNotIn("\n", str(error))
                    refused += 1
        self.assertGreater(refused, 100)

    # A table of 2^30 layers would be made for minutes; a stride of 0 makes 32 TB of one element.
    def test_small_files_that_ask_for_much(self):
        self.assert_refused(self.tiny(lambda _, a: a.update(n_layer=2**30)), self.output, parts=("made.pt", "'n_layer'", "9 tensors"))

        def expand(model, arguments):
            arguments.update(vocab_size=2**31 - 1, n_embd=4096)
            model["transformer.wte.weight"] = Tensor(Storage("0"), (2**31 - 1, 4096), strides=(0, 0))

        self.assert_refused(self.tiny(expand), self.output, parts=("made.pt", "more elements than its storage", "transformer.wte.weight"))

    def test_memory_that_is_not_there_is_one_line(self):
        with unittest.mock.patch.object(convert_nanogpt.Storage, "read", side_effect=MemoryError):
            self.assert_refused(self.tiny(), self.output, parts=("made.pt", "transformer.wte.weight needs more memory"))

    def test_weights_beyond_a_type_are_refused(self):
        ln = "transformer.ln_f.weight"
        largest = np.array([0x7F7F0000], "<u4").view("<f4")[0]  # of bf16; half a step beyond it rounds to infinity
        for dtype, storage, value, part in (("bf16", "FloatStorage", 3.4e38, "bf16"), ("bf16", "FloatStorage", -3.4e38, "bf16"),
                                            ("f32", "DoubleStorage", 1e300, "infinity")):  # fmt: skip
            data = np.array([1, value], "<f8" if storage == "DoubleStorage" else "<f4").tobytes()
            path = self.tiny(lambda m, _: m.update({ln: Tensor(Storage("n", storage), (2,))}), {"n": data})
            self.assert_refused(path, self.output, "--dtype", dtype, parts=(part,))
        path = self.tiny(lambda m, _: m.update({ln: Tensor(Storage("n"), (2,))}), {"n": np.array([largest, -largest], "<f4").tobytes()})
        arrays, _ = self.convert(path, self.output, "--dtype", "bf16")
        self.assertEqual(arrays[ln].tolist(), [largest, -largest])

    def test_every_flipped_byte_of_the_pickle_is_survived(self):
        whole = zipfile.ZipFile(self.tiny()).read("made/data.pkl")
        refused = 0
        for at in range(0, len(whole), 3):
            raw = bytearray(whole)
            raw[at] ^= 0x21
            path = self.archive(None, {str(i): bytes(96) for i in range(len(SHAPES))}, data_pkl=bytes(raw))
            try:
                tensors, arguments = convert_nanogpt.read_checkpoint(str(path))
                config = convert_nanogpt.model_config(str(path), tensors, arguments, "gelu_erf")
                convert_nanogpt.read_weights(str(path), tensors, config)
            except convert_nanogpt.BadFile as error:
                self.assertNotIn("\n", str(error))
                refused += 1
        self.assertGreater(refused, 100)

    def test_wrong_models(self):
        def refused(change, *parts, storages=None):
            self.assert_refused(self.tiny(change, storages), self.output, parts=parts)

        for key, value in (("n_layer", 0), ("n_head", "2"), ("n_embd", None), ("block_size", -1), ("vocab_size", 2**40)):
            refused(lambda _, a: a.update({key: value}), f"model_args['{key}']")
        refused(lambda _, a: a.update(n_head=3), "multiple of n_head")
        refused(lambda _, a: a.update(bias=1), "'bias'")
        refused(lambda _, a: a.update(bias=True), "transformer.h.0.ln_1.bias is missing")
        refused(lambda _, a: a.update(n_layer=2), "transformer.h.1.ln_1.weight is missing")
        refused(lambda m, _: m.pop("transformer.ln_f.weight"), "transformer.ln_f.weight is missing")
        refused(lambda m, _: m.update({"more": Tensor(Storage("0"), (1,))}), "more is none")
        refused(lambda m, _: m.update({"_orig_mod.transformer.ln_f.weight": Tensor(Storage("0"), (2,))}), "twice")
        ln = "transformer.ln_f.weight"
        refused(lambda m, _: m.update({ln: Tensor(Storage("0"), (3,))}), "[3]", "[2]")
        refused(lambda m, _: m.update({ln: Tensor(Storage("0"), (2,), offset=7)}), "past the end")
        refused(lambda m, _: m.update({ln: Tensor(Storage("0"), (2,), strides=(2**40,))}), "past the end")
        refused(lambda m, _: m.update({ln: Tensor(Storage("0"), (2,), strides=(-1,))}), "no size")
        refused(lambda m, _: m.update({ln: Tensor(Storage("absent"), (2,))}), "absent is missing")
        refused(lambda m, _: m.update({ln: Tensor(Storage("../../x"), (2,))}), "missing")
        refused(lambda m, _: m.update({ln: Tensor(Storage("n"), (2,))}), "NaN", storages={"n": np.array([1, np.nan], "<f4").tobytes()})
        big = {"n": np.array([1, 1e6], "<f4").tobytes()}
        path = self.tiny(lambda m, _: m.update({ln: Tensor(Storage("n"), (2,))}), big)
        self.assert_refused(path, self.output, "--dtype", "f16", parts=("f16",))

    def test_wrong_vocabularies(self):
        def refused(meta, *parts):
            (self.folder / "meta.pkl").write_bytes(meta if isinstance(meta, bytes) else pickle.dumps(meta))
            self.assert_refused(self.tiny(), self.folder / "meta.pkl", self.output, parts=parts)

        refused({"itos": dict(enumerate("abc"))}, "3 characters", "4 tokens")
        refused({"itos": dict(enumerate("abca"))}, "twice")
        refused({"itos": {0: "a", 2: "b", 3: "c", 4: "d"}}, "itos")
        refused({"itos": {0: "a", 1: "bb", 2: "c", 3: "d"}}, "itos[1]")
        refused({"itos": {0: "a", 1: "\ud800", 2: "c", 3: "d"}}, "itos[1]")
        refused({"itos": ["a", "b"]}, "itos")
        refused({}, "itos")
        refused([], "itos")
        refused(b"", "not a readable pickle")
        self.assert_refused(self.tiny(), self.folder / "absent.pkl", self.output, parts=("cannot read", "absent.pkl"))

    def test_usage(self):
        self.assert_refused(status=2, parts=("ckpt.pt", "--help"))
        self.assert_refused(CHECKPOINT, status=2, parts=("out.safetensors", "--help"))
        self.assert_refused(CHECKPOINT, META, self.output, "more", status=2, parts=("more",))
        self.assert_refused(CHECKPOINT, self.output, "--dtype", "f8", status=2, parts=("--dtype", "bf16"))
        copy = self.folder / "copy.pt"
        copy.write_bytes(CHECKPOINT.read_bytes())
        self.assert_refused(copy, copy, status=2, parts=("one of the inputs",))
        self.assertEqual(copy.read_bytes(), CHECKPOINT.read_bytes())
        result = subprocess.run([sys.executable, CONVERTER, "--help"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0)
        for part in ("ckpt.pt", "meta.pkl", "--dtype", "--activation", "without executing"):
            self.assertIn(part, result.stdout)

    def test_a_full_standard_output(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([sys.executable, CONVERTER, CHECKPOINT, META, self.output], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("is written, but the standard output cannot be: No space left", done.stderr)
        self.assertTrue(self.output.exists())


if __name__ == "__main__":
    unittest.main()
