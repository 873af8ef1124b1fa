#!/usr/bin/env python3
"""Converts a nanoGPT checkpoint to the safetensors file that rapt loads: ckpt.pt, and meta.pkl of a
character-level data set.

The checkpoint is read without executing anything: a pickle is a program, and this reader lets it
build tensors and plain values and refuses every other name, saying which. PyTorch is not needed;
NumPy is. The optimizer's state, attention masks and the second copy of a tied head are left out;
torch.compile's "_orig_mod." prefixes are removed.
"""
import argparse
import collections
import json
import math
import os
import pickle
import re
import stat
import sys
import tempfile
import zipfile

try:
    import numpy as np
except ImportError:
    np = None  # --help needs none

# The element types of torch's storages: NumPy's view of the bytes. bfloat16 has none, so it is read as its upper half.
STORAGE_DTYPES = {
    "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16", "DoubleStorage": "<f8",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}
# Vocabulary sizes of GPT-2's BPE: as it is, and as nanoGPT pads it to a multiple of 64.
GPT2_VOCAB_SIZES = (50257, 50304)
COMPILE_PREFIX = "_orig_mod."
HEAD, EMBEDDING = "lm_head.weight", "transformer.wte.weight"


class BadFile(Exception):
    """A file is not what it claims to be. The text is one line."""


class Inert:
    """A name that a pickle may mention. Without attributes, so that a pickle cannot set any."""
    __slots__ = ("name", "function")

    def __init__(self, name, function=None):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "function", function)

    def __setattr__(self, key, value):
        raise BadFile(f"the pickle tries to set an attribute of {self.name}")

    def __call__(self, *arguments):
        if self.function is None:
            raise BadFile(f"the pickle tries to call {self.name}")
        return self.function(*arguments)


class LazyTensor:
    """Where a tensor's elements are; read only when wanted, so that the optimizer's state costs nothing."""
    __slots__ = ("storage", "offset", "shape", "strides")

    def __init__(self, storage, offset, shape, strides, *_):
        if not isinstance(storage, Storage):
            raise BadFile("a tensor's storage is not one")
        numbers = (offset, *shape, *strides)
        if len(shape) != len(strides) or not all(type(n) is int and 0 <= n < 2**48 for n in numbers):
            raise BadFile("a tensor has a shape, stride or offset that is no size")
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)

    def read(self):
        flat = self.storage.read()
        if 0 in self.shape:
            return np.zeros(self.shape, np.float32)
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides))
        if last >= flat.size:
            raise BadFile("a tensor reaches past the end of its storage")
        # A stride of 0 makes any shape of one element, and of a small file more than the memory has. Weights are never expanded.
        if math.prod(self.shape) > flat.size:
            raise BadFile("a tensor has more elements than its storage")
        strides = tuple(s * flat.itemsize for s in self.strides)
        with np.errstate(over="ignore"):  # what f32 cannot hold becomes infinity, which read_weights() refuses
            return np.lib.stride_tricks.as_strided(flat[self.offset:], self.shape, strides, writeable=False).astype(np.float32)


class Storage:
    """One file of the archive: the elements behind one or several tensors."""
    __slots__ = ("archive", "path", "dtype")

    def __init__(self, archive, path, dtype):
        self.archive, self.path, self.dtype = archive, path, dtype

    def read(self):
        data = self.archive.read(self.path)
        if self.dtype == "bfloat16":
            return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        dtype = np.dtype(self.dtype)
        return np.frombuffer(data, dtype, len(data) // dtype.itemsize)


class RestrictedUnpickler(pickle.Unpickler):
    """Lets through the names in `allowed` and no other."""

    def __init__(self, file, what, allowed=None, persistent_load=None):
        super().__init__(file, encoding="utf-8")
        self.what, self.allowed, self.load_storage = what, allowed or {}, persistent_load

    def find_class(self, module, name):
        found = self.allowed.get(f"{module}.{name}")
        if found is None:
            raise BadFile(f"{self.what} asks for {printable(f'{module}.{name}')}, which is not needed for a model: refused, nothing was run")
        return found

    def persistent_load(self, pid):
        if self.load_storage is None:
            raise BadFile(f"{self.what} refers to data outside of it")
        return self.load_storage(pid)

    def load_checked(self):
        try:
            return self.load()
        except BadFile as error:  # of a class above, which does not know the file, or of this one
            raise BadFile(str(error) if self.what in str(error) else f"{self.what}: {error}") from None
        except MemoryError:
            raise BadFile(f"{self.what} asks for more memory than there is") from None
        except Exception as error:  # whatever a broken pickle makes the unpickler do
            raise BadFile(f"{self.what} is not a readable pickle: {type(error).__name__}: {printable(error)}") from None


def printable(text):
    return re.sub(r"[^\x20-\x7e]", "?", str(text))[:200]


class Archive:
    """The zip file that torch.save writes: NAME/data.pkl and NAME/data/0, 1, ... Nothing in it is compressed."""

    def __init__(self, path):
        self.path = path
        try:
            self.zip = zipfile.ZipFile(path)
            names = self.zip.namelist()
        except zipfile.BadZipFile:
            raise BadFile(f"{path} is not a PyTorch checkpoint: not a zip file (torch.save before version 1.6 wrote another "
                          "format; load and save it again with a newer PyTorch)") from None
        except (NotImplementedError, ValueError) as error:  # what zipfile lets through of a damaged directory
            raise BadFile(f"{path} is a damaged zip file: {printable(error)}") from None
        pickles = [n for n in names if n.endswith("/data.pkl") and n.count("/") == 1]
        if len(pickles) != 1:
            raise BadFile(f"{path} is not a PyTorch checkpoint: it has no data.pkl")
        self.folder = pickles[0].rsplit("/", 1)[0]
        byteorder = f"{self.folder}/byteorder"
        if byteorder in names and self.read(byteorder) != b"little":
            raise BadFile(f"{path} was saved on a big-endian machine")

    def read(self, name):
        try:
            info = self.zip.getinfo(name)
        except KeyError:
            raise BadFile(f"{self.path}: {printable(name)} is missing") from None
        # A compressed entry could claim any size; stored ones are as large as they are in the file.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise BadFile(f"{self.path}: {printable(name)} is compressed, which torch.save never does")
        try:
            return self.zip.read(info)
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise BadFile(f"{self.path}: {printable(name)} is damaged: {printable(error)}") from None

    def load_storage(self, pid):
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage" and isinstance(pid[1], Inert)
                and pid[1].name in STORAGE_DTYPES and isinstance(pid[2], str)):
            raise BadFile(f"{self.path}: a tensor's storage is described in an unknown way")
        return Storage(self, f"{self.folder}/data/{pid[2]}", STORAGE_DTYPES[pid[1].name])

    def load(self):
        import io
        allowed = {f"torch.{name}": Inert(name) for name in STORAGE_DTYPES}
        allowed["collections.OrderedDict"] = collections.OrderedDict
        allowed["torch._utils._rebuild_tensor_v2"] = Inert("torch._utils._rebuild_tensor_v2", LazyTensor)
        allowed["torch._utils._rebuild_parameter"] = Inert("torch._utils._rebuild_parameter", lambda data, *_: data)
        file = io.BytesIO(self.read(f"{self.folder}/data.pkl"))
        return RestrictedUnpickler(file, self.path, allowed, self.load_storage).load_checked()


def read_checkpoint(path):
    """Returns (tensors by name, model_args)."""
    checkpoint = Archive(path).load()
    if not isinstance(checkpoint, dict) or "model" not in checkpoint or "model_args" not in checkpoint:
        raise BadFile(f"{path} is not a nanoGPT checkpoint: it has no 'model' and 'model_args'")
    model, arguments = checkpoint["model"], checkpoint["model_args"]
    if not isinstance(model, dict) or not isinstance(arguments, dict):
        raise BadFile(f"{path}: 'model' and 'model_args' must be dictionaries")
    tensors = {}
    for name, tensor in model.items():
        if not isinstance(name, str) or not isinstance(tensor, LazyTensor):
            raise BadFile(f"{path}: 'model' must hold tensors by name; {printable(name)} is none")
        while name.startswith(COMPILE_PREFIX):
            name = name[len(COMPILE_PREFIX):]
        if name.endswith((".attn.bias", ".attn.masked_bias")):  # the causal mask, which older PyTorch needed as a buffer
            continue
        if name in tensors:
            raise BadFile(f"{path}: the tensor {printable(name)} comes twice")
        tensors[name] = tensor
    return tensors, arguments


def model_config(path, tensors, arguments, activation):
    config = {}
    for key in ("n_layer", "n_head", "n_embd", "block_size", "vocab_size"):
        value = arguments.get(key)
        if type(value) is not int or not 0 < value < 2**31:
            raise BadFile(f"{path}: model_args[{key!r}] is {printable(repr(value))}; it must be a positive integer")
        config[key] = value
    if config["n_layer"] > len(tensors):  # before a table of as many layers is made
        raise BadFile(f"{path}: model_args['n_layer'] is {config['n_layer']}, but there are only {len(tensors)} tensors")
    if config["n_embd"] % config["n_head"] != 0:
        raise BadFile(f"{path}: n_embd {config['n_embd']} is not a multiple of n_head {config['n_head']}")
    # nanoGPT before 2023-01 had no 'bias' argument and always had biases.
    bias = arguments.get("bias", "transformer.ln_f.bias" in tensors)
    if type(bias) is not bool:
        raise BadFile(f"{path}: model_args['bias'] must be True or False")
    config.update(bias=bias, activation=activation, layer_norm_eps=1e-5)
    return config


def expected_shapes(config):
    embed, bias = config["n_embd"], config["bias"]
    shapes = {EMBEDDING: (config["vocab_size"], embed), "transformer.wpe.weight": (config["block_size"], embed)}

    def add(name, *shape):
        shapes[f"transformer.{name}.weight"] = shape
        if bias:
            shapes[f"transformer.{name}.bias"] = shape[:1]

    for i in range(config["n_layer"]):
        add(f"h.{i}.ln_1", embed)
        add(f"h.{i}.attn.c_attn", 3 * embed, embed)
        add(f"h.{i}.attn.c_proj", embed, embed)
        add(f"h.{i}.ln_2", embed)
        add(f"h.{i}.mlp.c_fc", 4 * embed, embed)
        add(f"h.{i}.mlp.c_proj", embed, 4 * embed)
    add("ln_f", embed)
    return shapes


def read_tensor(path, name, tensor):
    try:
        return tensor.read()
    except BadFile as error:
        raise BadFile(str(error) if path in str(error) else f"{path}: {error}: {name}") from None
    except MemoryError:
        raise BadFile(f"{path}: the tensor {name} needs more memory than there is") from None


def read_weights(path, tensors, config):
    """The model's arrays in the model's order; lm_head.weight only if it is not the token embedding again."""
    shapes = expected_shapes(config)
    unexpected = set(tensors) - set(shapes) - {HEAD}
    if unexpected:
        raise BadFile(f"{path}: the tensor {printable(min(unexpected))} is none of nanoGPT's GPT with this configuration")
    arrays = {}
    for name, shape in shapes.items():
        if name not in tensors:
            raise BadFile(f"{path}: the tensor {name} is missing")
        if tensors[name].shape != shape:
            raise BadFile(f"{path}: the tensor {name} is {list(tensors[name].shape)}; model_args ask for {list(shape)}")
        arrays[name] = read_tensor(path, name, tensors[name])
    if HEAD in tensors:
        if tensors[HEAD].shape != shapes[EMBEDDING]:
            raise BadFile(f"{path}: the tensor {HEAD} is {list(tensors[HEAD].shape)}; model_args ask for {list(shapes[EMBEDDING])}")
        head = read_tensor(path, HEAD, tensors[HEAD])
        if not np.array_equal(head, arrays[EMBEDDING]):
            print(f"note: {HEAD} differs from {EMBEDDING}; the model is written with a head of its own", file=sys.stderr)
            arrays[HEAD] = head
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise BadFile(f"{path}: the tensor {name} has NaN or infinity in it")
    return arrays


def read_characters(path, vocab_size):
    """The vocabulary of a meta.pkl, as nanoGPT's prepare.py for characters writes it."""
    try:
        with open(path, "rb") as file:
            meta = RestrictedUnpickler(file, path).load_checked()
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    itos = meta.get("itos") if isinstance(meta, dict) else None
    if not isinstance(itos, dict) or sorted(k for k in itos if type(k) is int) != list(range(len(itos))):
        raise BadFile(f"{path} is not a character vocabulary: it has no 'itos' from 0, 1, ... to characters")
    characters = [itos[i] for i in range(len(itos))]
    for i, character in enumerate(characters):
        if not isinstance(character, str) or len(character) != 1 or 0xD800 <= ord(character) < 0xE000:
            raise BadFile(f"{path}: itos[{i}] is {printable(repr(character))}, not one character")
    if len(set(characters)) != len(characters):
        raise BadFile(f"{path}: a character comes twice in 'itos'")
    if len(characters) != vocab_size:
        raise BadFile(f"{path} has {len(characters)} characters, but the model has {vocab_size} tokens; it belongs to another data set")
    return characters


def encode(array, dtype):
    if dtype == "f16":
        if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
            raise BadFile("a weight is too large for f16; use --dtype bf16 or f32")
        return "F16", array.astype("<f2").tobytes()
    if dtype == "bf16":  # to the nearest, ties to even
        bits = np.ascontiguousarray(array, "<f4").view("<u4").astype(np.uint64)
        upper = (bits + 0x7fff + (bits >> 16 & 1)) >> 16
        if ((upper & 0x7fff) == 0x7f80).any():  # infinity: of a finite weight, since read_weights() lets through no other
            raise BadFile("a weight is too large for bf16; use --dtype f32")
        return "BF16", upper.astype("<u2").tobytes()
    return "F32", np.ascontiguousarray(array, "<f4").tobytes()


def write_safetensors(path, arrays, metadata, dtype):
    """Writes beside `path` and renames, so that a file of that name is always whole. Links are followed, and permissions kept."""
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise BadFile(f"cannot write {path}: it is not a regular file")
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name, array in arrays.items():
        kind, blob = encode(array, dtype)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    folder = os.path.dirname(target)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".convert-", delete=False) as file:
            temporary = file.name
            file.write(len(text).to_bytes(8, "little") + text)
            for blob in blobs:
                file.write(blob)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else 0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException as error:  # Ctrl-C too
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise BadFile(f"cannot write {path}: {error.strerror}") from None
        raise
    return 8 + len(text) + offset


def convert(options):
    try:
        tensors, arguments = read_checkpoint(options.checkpoint)
        config = model_config(options.checkpoint, tensors, arguments, options.activation)
        if options.meta:
            tokenizer = {"type": "characters", "characters": read_characters(options.meta, config["vocab_size"])}
        else:
            tokenizer = {"type": "bpe" if config["vocab_size"] in GPT2_VOCAB_SIZES else "none"}
        arrays = read_weights(options.checkpoint, tensors, config)
    except OSError as error:
        raise BadFile(f"cannot read {options.checkpoint}: {error.strerror}") from None
    metadata = {"format": "pt", "rapt.family": "gpt2", "rapt.config": json.dumps(config), "rapt.tokenizer": json.dumps(tokenizer)}
    size = write_safetensors(options.output, arrays, metadata, options.dtype)
    count = sum(array.size for array in arrays.values())
    report = (f"{options.output}: {len(arrays)} tensors, {count:,} parameters in {options.dtype}, {size:,} bytes, "
              f"tokenizer: {tokenizer['type']}")
    if tokenizer["type"] == "bpe":
        report += "\nput GPT-2's vocab.json and merges.txt beside it"
    try:
        print(report, flush=True)
    except OSError as error:
        raise BadFile(f"{options.output} is written, but the standard output cannot be: {error.strerror}") from None


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parse_arguments(arguments):
    parser = Parser(prog="convert_nanogpt.py", usage="%(prog)s [options] ckpt.pt [meta.pkl] out.safetensors",
                    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="ckpt.pt", help="what nanoGPT's train.py saved")
    parser.add_argument("meta", metavar="meta.pkl", nargs="?",
                        help="the data set's characters (data/NAME/meta.pkl); without it, a model with GPT-2's vocabulary gets the "
                             "BPE tokenizer and any other takes token ids alone")
    parser.add_argument("output", metavar="out.safetensors", help="the file to write; one of that name is replaced")
    parser.add_argument("--dtype", choices=("f32", "f16", "bf16"), default="f32",
                        help="how the weights are stored; rapt computes in f32 (default: f32)")
    parser.add_argument("--activation", choices=("gelu_erf", "gelu_tanh"), default="gelu_erf",
                        help="a checkpoint does not say which GELU it was trained with: nn.GELU is gelu_erf (default), new_gelu of "
                             "nanoGPT before 2023-02 is gelu_tanh")
    options = parser.parse_args(arguments)
    inputs = [options.checkpoint] + ([options.meta] if options.meta else [])
    if any(os.path.exists(options.output) and os.path.exists(i) and os.path.samefile(options.output, i) for i in inputs):
        parser.error(f"out.safetensors is {options.output}, which is one of the inputs")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    if np is None:
        print(f"convert_nanogpt.py: {sys.executable} has no NumPy (Debian: python3-numpy)", file=sys.stderr)
        return 1
    try:
        convert(options)
    except BadFile as error:
        print(f"convert_nanogpt.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
