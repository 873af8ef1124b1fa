// See loaded_model.h.
#include "engine/loaded_model.h"

#include <algorithm>
#include <cstring>

#include "engine/error.h"
#include "engine/formats/json.h"
#include "engine/formats/paths.h"
#include "engine/tokenizers/load.h"

namespace rapt::engine {
namespace {

// What of a path is the model. A folder's one file comes before its index of several, as in Hugging Face's transformers.
std::string model_path(const std::string& path) {
  if (!is_directory(path)) return path;
  const std::string whole = path + "/model.safetensors", index = whole + std::string(kIndexExtension);
  if (exists(whole)) return whole;
  if (exists(index)) return index;
  throw_error(
      RAPT_IO_ERROR,
      "%s: no model.safetensors and no model.safetensors.index.json in this folder; a GGUF file is loaded by its own path",
      printable(path).c_str());
}

// What the model is that safetensors files at `path` hold: from Hugging Face's config.json beside them. missing: for the error that there is none.
ModelFiles describe_by_config(const std::string& path, const char* missing) {
  ModelFiles files;
  files.folder = folder_of(path);
  const std::string config_path = files.folder + "config.json";
  if (!exists(config_path)) {
    throw_error(RAPT_INVALID_FILE, "%s: %s, so what model it holds is unknown", printable(path).c_str(), missing);
  }
  const MappedFile config_file(config_path);
  files.config = std::string(config_file.bytes());
  files.config_name = printable(config_path);
  files.family = json_string(parse_json_object(files.config, files.config_name, 4), "model_type", "", files.config_name);
  return files;
}

// The same of one file, whose metadata may say it.
ModelFiles describe(const SafeTensors& file) {
  const auto text = [&](const char* key) { return file.metadata().find(key).value_or(""); };
  if (text("rapt.family").empty()) {
    return describe_by_config(
        file.path(),
        "no config.json beside it, and no 'rapt.family' in its metadata, where tools/convert_nanogpt.py writes what it is");
  }
  ModelFiles files;
  files.folder = folder_of(file.path());
  files.family = text("rapt.family");
  files.config = text("rapt.config");
  files.config_name = printable(file.path()) + ": rapt.config";
  return files;
}

bool is_gguf(const std::string& path) { return MappedFile(path).bytes().substr(0, 4) == "GGUF"; }

// An enumeration as the number that it is: a caller's may be none of the names, and reading that as the enumeration would be undefined.
template <class Enum>
int number_of(const Enum& value) {
  static_assert(sizeof value == sizeof(int));
  int number;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

void check_kv_dtype(const rapt_kv_dtype& dtype) {
  const int number = number_of(dtype);
  if (number >= RAPT_KV_AUTO && number <= RAPT_KV_I8) return;
  throw_error(RAPT_INVALID_ARGUMENT,
              "params->kv_dtype is %d; it must be RAPT_KV_AUTO, RAPT_KV_F32, RAPT_KV_BF16, RAPT_KV_F16 or RAPT_KV_I8", number);
}

rapt_dtype cache_dtype(rapt_kv_dtype wanted, rapt_dtype preferred) {
  switch (wanted) {
    case RAPT_KV_F32: return RAPT_F32;
    case RAPT_KV_BF16: return RAPT_BF16;
    case RAPT_KV_F16: return RAPT_F16;
    case RAPT_KV_I8: return RAPT_I8;
    case RAPT_KV_AUTO: break;
  }
  return preferred;
}

Arithmetic arithmetic_of(const rapt_arithmetic& arithmetic) {
  const int number = number_of(arithmetic);
  switch (number) {
    case RAPT_ARITHMETIC_I8: return Arithmetic::kInt8;
    case RAPT_ARITHMETIC_F32: return Arithmetic::kF32;
    case RAPT_ARITHMETIC_BF16: return Arithmetic::kBf16;
    default:
      throw_error(RAPT_INVALID_ARGUMENT,
                  "params->arithmetic is %d; it must be RAPT_ARITHMETIC_I8, RAPT_ARITHMETIC_F32 or RAPT_ARITHMETIC_BF16",
                  number);
  }
}

void check_arithmetic(rapt_context* context, Arithmetic arithmetic) {
  if (supports(context, arithmetic)) return;
  throw_error(RAPT_UNSUPPORTED,
              "params->arithmetic is RAPT_ARITHMETIC_BF16, which needs ISA level avx512_bf16 or amx_bf16; the level is %s",
              rapt_context_isa(context));
}

// What the weights do not tell: sessions of a model with another rotary base, or window, hold other keys.
void note_configuration(const ModelFiles& files, WeightReader& reader) {
  reader.note(files.config);
  if (files.gguf == nullptr) return;
  for (const GgufValue& value : files.gguf->values()) {
    if (!value.key.starts_with(files.family + ".")) continue;
    reader.note(value.key);
    reader.note(value.payload);
  }
}

void check_special_tokens(const Tokenizer& tokenizer, std::int64_t context_length, const std::string& path) {
  const std::size_t around = tokenizer.roles().before.size() + tokenizer.roles().after.size();
  if (around <= static_cast<std::size_t>(context_length)) return;
  throw_error(RAPT_INVALID_FILE, "%s: a context of %lld tokens has no room for the %zu that stand around every text",
              printable(path).c_str(), static_cast<long long>(context_length), around);
}

}  // namespace

ContextPtr make_context(int num_threads, const char* backend, const char* isa) {
  rapt_context_params wanted;
  rapt_context_params_init(&wanted);
  wanted.num_threads = num_threads;
  wanted.backend = backend;
  wanted.isa = isa;
  rapt_context* context = nullptr;
  const rapt_status status = rapt_context_create(&wanted, &context);
  if (status != RAPT_OK) throw Error(status, rapt_last_error());
  return ContextPtr(context);
}

ContextPtr make_context(const rapt_model_params& params) {
  return make_context(params.num_threads, params.backend, params.isa);
}

LoadedModel::LoadedModel(const std::string& path, const rapt_model_params& params)
    : num_threads_(params.num_threads), arithmetic_(arithmetic_of(params.arithmetic)) {
  check_kv_dtype(params.kv_dtype);
  const ContextPtr context = make_context(params);
  check_arithmetic(context.get(), arithmetic_);
  backend_ = rapt_context_backend(context.get());
  isa_ = rapt_context_isa(context.get());

  const std::string file_path = model_path(path);
  load_file(context.get(), file_path, params);
  if (tokenizer_ != nullptr && tokenizer_->vocab_size() > shape().vocab_size) {
    throw_error(RAPT_INVALID_FILE, "%s: the tokenizer has %lld tokens, but the model %lld", printable(file_path).c_str(),
                static_cast<long long>(tokenizer_->vocab_size()), static_cast<long long>(shape().vocab_size));
  }
  if (tokenizer_ != nullptr) check_special_tokens(*tokenizer_, shape().context_length, file_path);
  if (!shape().writes) return;
  const bool f32_alone = backend_ == "onednn";
  // Where layers round what they read to bytes, queries in bf16 err less than that.
  const bool tiles = rounds_inputs_ && arithmetic_ == Arithmetic::kInt8 && multiplies_panels_in_tiles(context.get());
  const rapt_dtype preferred = !rounds_inputs_ || f32_alone ? RAPT_F32 : tiles ? RAPT_BF16 : RAPT_F16;
  const rapt_dtype dtype = cache_dtype(params.kv_dtype, preferred);
  if (f32_alone && dtype != RAPT_F32) {
    throw_error(
        RAPT_UNSUPPORTED,
        "params->kv_dtype must be RAPT_KV_F32 or RAPT_KV_AUTO with backend onednn, which reads keys and values of f32 alone");
  }
  pool_ = std::make_shared<KvPool>(KvShape{.num_layers = shape().num_layers,
                                           .num_kv_heads = shape().num_kv_heads,
                                           .head_dim = shape().head_dim,
                                           .context_length = shape().context_length,
                                           .dtype = dtype,
                                           .rounds_queries = tiles && dtype == RAPT_BF16});
}

void LoadedModel::load_file(rapt_context* context, const std::string& path, const rapt_model_params& params) {
  if (path.ends_with(kIndexExtension)) return load_shards(context, path, params);
  if (is_gguf(path)) return load_gguf(context, path, params);
  load_safetensors(context, path, params);
}

void LoadedModel::load_safetensors(rapt_context* context, const std::string& path, const rapt_model_params& params) {
  check_is_no_shard(path);
  const SafeTensors file(path);
  ModelFiles files = describe(file);
  tokenizer_ = tokenizer_of_safetensors(file, files.folder);
  files.tokenizer = tokenizer_.get();
  load_weights(context, SafeTensorsSource(file), files, params);
}

void LoadedModel::load_shards(rapt_context* context, const std::string& path, const rapt_model_params& params) {
  const ShardedSafeTensors shards(path);
  ModelFiles files = describe_by_config(path, "no config.json beside it");
  tokenizer_ = tokenizer_from_folder(files.folder);
  files.tokenizer = tokenizer_.get();
  load_weights(context, ShardedSafeTensorsSource(shards), files, params);
}

void LoadedModel::load_gguf(rapt_context* context, const std::string& path, const rapt_model_params& params) {
  const GgufSplit parts(path);
  const Gguf& file = parts.first();
  const ModelFiles files{.family = std::string(file.text("general.architecture")),
                         .config = "",
                         .config_name = printable(path),
                         .folder = "",
                         .gguf = &file};
  tokenizer_ = file.has("tokenizer.ggml.model") ? tokenizer_from_gguf(file) : nullptr;
  load_weights(context, GgufSource(parts), files, params);
}

void LoadedModel::load_weights(rapt_context* context, const WeightSource& source, const ModelFiles& files,
                               const rapt_model_params& params) {
  const auto progress = [&params](double done) {
    return params.on_progress != nullptr && params.on_progress(done, params.user) != 0;
  };
  WeightReader reader(context, source, "", progress, arithmetic_);
  note_configuration(files, reader);
  model_ = load_model(files, reader);
  fingerprint_ = reader.fingerprint();
  rounds_inputs_ = reader.rounds_inputs();
}

const char* LoadedModel::kv_dtype() const {
  if (pool_ == nullptr) return "none";
  switch (pool_->shape().dtype) {
    case RAPT_BF16: return "bf16";
    case RAPT_F16: return "f16";
    case RAPT_I8: return "int8";
    default: return "f32";
  }
}

KvCache LoadedModel::new_cache() const {
  if (pool_ == nullptr) {
    throw_error(RAPT_UNSUPPORTED, "a model of family %s makes vectors of texts and writes none", shape().family);
  }
  return KvCache(pool_);
}

const Tokenizer& LoadedModel::need_tokenizer() const {
  if (tokenizer_ == nullptr) {
    throw_error(RAPT_INVALID_ARGUMENT, "the model has no tokenizer; it takes and gives token ids alone");
  }
  return *tokenizer_;
}

LoadedModel::Desk LoadedModel::borrow_desk(DeskThreads threads) const {
  {
    const std::lock_guard<std::mutex> lock(desks_mutex_);
    const auto it = std::find_if(desks_.begin(), desks_.end(), [&](const auto& things) { return things->threads == threads; });
    if (it != desks_.end()) {
      Desk desk(it->release(), ReturnDesk{this});
      desks_.erase(it);
      return desk;
    }
    desks_.reserve(++num_desks_);  // so that returning one takes no memory
  }
  const int num_threads = threads == DeskThreads::kOne ? 1 : num_threads_;
  return Desk(new DeskThings{threads, new_context(num_threads), {}}, ReturnDesk{this});
}

void LoadedModel::return_desk(DeskThings* things) const {
  std::unique_ptr<DeskThings> owner(things);
  const std::lock_guard<std::mutex> lock(desks_mutex_);
  desks_.push_back(std::move(owner));
}

void LoadedModel::check_ids(const char* name, const std::int32_t* ids, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) {
    if (ids[i] < 0 || ids[i] >= shape().vocab_size) {
      throw_error(RAPT_INVALID_ARGUMENT, "%s[%zu] is %d; the vocabulary is 0 to %lld", name, i, ids[i],
                  static_cast<long long>(shape().vocab_size - 1));
    }
  }
}

}  // namespace rapt::engine
