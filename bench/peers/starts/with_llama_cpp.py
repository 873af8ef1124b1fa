"""with_llama_cpp.py MODEL THREADS PROMPT: prints the token that follows. llama.cpp's C interface alone: the rest of its Python package takes as long to
import as the model to load."""

import ctypes
import importlib
import importlib.util
import sys
from types import ModuleType

BATCH = 512

model_path, threads, prompt = sys.argv[1].encode(), int(sys.argv[2]), sys.argv[3].encode()
specification = importlib.util.find_spec("llama_cpp")
package = sys.modules["llama_cpp"] = ModuleType("llama_cpp")
package.__path__ = list(specification.submodule_search_locations)
api = importlib.import_module("llama_cpp.llama_cpp")

api.llama_backend_init()
quiet = api.llama_log_callback(lambda level, text, user: None)
api.llama_log_set(quiet, ctypes.c_void_p(0))
model_params = api.llama_model_default_params()
with open("/proc/cpuinfo", encoding="ascii", errors="replace") as cpu:
    if " amx_int8 " in cpu.read():  # a prompt over weights laid out for AMX crashes, see whole/llama_cpp.py
        model_params.use_extra_bufts = False
model = api.llama_model_load_from_file(model_path, model_params)
params = api.llama_context_default_params()
params.n_ctx = params.n_batch = params.n_ubatch = BATCH
params.n_threads = params.n_threads_batch = threads
context = api.llama_init_from_model(model, params)
if not model or not context:
    sys.exit("llama.cpp does not load the model")
vocabulary = api.llama_model_get_vocab(model)
tokens, piece = (api.llama_token * BATCH)(), ctypes.create_string_buffer(64)
count = api.llama_tokenize(vocabulary, prompt, len(prompt), tokens, BATCH, False, False)
status = api.llama_decode(context, api.llama_batch_get_one(tokens, count)) if count > 0 else count
if status:
    sys.exit(f"llama_tokenize or llama_decode returned {status}")
token = api.llama_sampler_sample(api.llama_sampler_init_greedy(), context, -1)
length = api.llama_token_to_piece(vocabulary, token, piece, len(piece), 0, False)
print(piece.raw[:length].decode(), end="")
