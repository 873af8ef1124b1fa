// GPT-2 (Radford et al. 2019) and nanoGPT as a decoder: tensor names, and what is peculiar to the files. The head is the token
// embedding again (tied) unless the file has one of its own. Implements model.h.
#include <vector>

#include "engine/error.h"
#include "engine/models/decoder.h"
#include "engine/models/gpt2_config.h"
#include "engine/modules/matrix.h"

namespace rapt::engine {
namespace {

// Tensor names, the same in nanoGPT's checkpoints and Hugging Face's files; those of block i follow "h.i.".
constexpr struct {
  const char* token_embedding = "wte.weight";
  const char* position_embedding = "wpe.weight";
  const char* block = "h.";
  const char* attention_norm = ".ln_1";
  const char* attention_input = ".attn.c_attn";  // query, key and value, stacked
  const char* attention_output = ".attn.c_proj";
  const char* feed_forward_norm = ".ln_2";
  const char* feed_forward_up = ".mlp.c_fc";
  const char* feed_forward_down = ".mlp.c_proj";
  const char* final_norm = "ln_f";
  const char* head = "lm_head.weight";  // never prefixed
} kNames;
constexpr const char* kPrefix = "transformer.";  // some files have it before all names but the head's

class Gpt2Loader {
 public:
  Gpt2Loader(const Gpt2Config& config, WeightReader& reader)
      : config_(config), reader_(reader), prefix_(reader.has(std::string(kPrefix) + kNames.token_embedding) ? kPrefix : "") {
    // Hugging Face's Conv1D keeps [in, out]; the stacked projection is the one whose shape cannot be mistaken.
    const std::vector<std::int64_t> shape = reader.shape(prefix_ + kNames.block + "0" + kNames.attention_input + ".weight", 2);
    transposed_ = shape[0] == config.embed_dim && shape[1] == 3 * config.embed_dim;
  }

  // The head, and the token embedding where it is another tensor.
  void embedding_and_head(DecoderParts* parts) {
    const std::string name = prefix_ + kNames.token_embedding;
    if (reader_.has(kNames.head)) {
      parts->token_embedding = reader_.embedding(name, config_.vocab_size, config_.embed_dim);
      parts->head = Linear(reader_.packed(kNames.head, config_.vocab_size, config_.embed_dim));
    } else {
      parts->head = Linear(reader_.packed(name, config_.vocab_size, config_.embed_dim));
    }
  }

  std::vector<float> position_embedding() {
    return reader_.read(prefix_ + kNames.position_embedding, {config_.context_length, config_.embed_dim});
  }

  Norm norm(const std::string& name) {
    Norm norm;
    norm.weight = reader_.read(prefix_ + name + ".weight", {config_.embed_dim});
    norm.bias = bias(name, config_.embed_dim);
    norm.eps = config_.norm_eps;
    return norm;
  }

  TransformerBlock block(std::int64_t index) {
    const std::string name = kNames.block + std::to_string(index);
    const std::int64_t dim = config_.embed_dim, inner = config_.feed_forward_dim;
    const Arithmetic arithmetic = reader_.arithmetic(WeightType::kF32);  // what a Matrix holds
    TransformerBlock block;
    block.attention_norm = norm(name + kNames.attention_norm);
    const Matrix input = matrix(name + kNames.attention_input, 3 * dim, dim);
    block.attention = {.query = input.rows(0, dim).pack(reader_.context(), arithmetic),
                       .key = input.rows(dim, 2 * dim).pack(reader_.context(), arithmetic),
                       .value = input.rows(2 * dim, 3 * dim).pack(reader_.context(), arithmetic),
                       .output = matrix(name + kNames.attention_output, dim, dim).pack(reader_.context(), arithmetic),
                       .num_heads = config_.num_heads,
                       .num_kv_heads = config_.num_heads,
                       .head_dim = dim / config_.num_heads};
    block.feed_forward_norm = norm(name + kNames.feed_forward_norm);
    block.feed_forward.up = matrix(name + kNames.feed_forward_up, inner, dim).pack(reader_.context(), arithmetic);
    block.feed_forward.down = matrix(name + kNames.feed_forward_down, dim, inner).pack(reader_.context(), arithmetic);
    block.feed_forward.activation = config_.activation;
    return block;
  }

 private:
  std::vector<float> bias(const std::string& name, std::int64_t size) {
    if (config_.bias) return reader_.read(prefix_ + name + ".bias", {size});
    if (reader_.has(prefix_ + name + ".bias")) {
      throw_error(RAPT_INVALID_FILE, "%s: there is a tensor %s, but the configuration says \"bias\": false",
                  printable(reader_.path()).c_str(), reader_.full_name(prefix_ + name + ".bias").c_str());
    }
    return {};
  }

  Matrix matrix(const std::string& name, std::int64_t out, std::int64_t in) {
    Matrix result;
    result.out = out;
    result.in = in;
    if (transposed_) {
      const std::vector<float> stored = reader_.read(prefix_ + name + ".weight", {in, out});
      result.weight.resize(stored.size());
      for (std::int64_t i = 0; i < in; ++i) {
        for (std::int64_t o = 0; o < out; ++o) {
          result.weight[static_cast<std::size_t>(o * in + i)] = stored[static_cast<std::size_t>(i * out + o)];
        }
      }
    } else {
      result.weight = reader_.read(prefix_ + name + ".weight", {out, in});
    }
    result.bias = bias(name, out);
    return result;
  }

  const Gpt2Config& config_;
  WeightReader& reader_;
  std::string prefix_;
  bool transposed_ = false;
};

}  // namespace

std::unique_ptr<Model> load_gpt2(const ModelFiles& files, WeightReader& reader) {
  const Gpt2Config config = parse_gpt2_config(files.config, files.config_name);
  Gpt2Loader loader(config, reader);
  DecoderParts parts;
  loader.embedding_and_head(&parts);
  parts.position_embedding = loader.position_embedding();
  for (std::int64_t i = 0; i < config.num_layers; ++i) parts.blocks.push_back(loader.block(i));
  parts.final_norm = loader.norm(kNames.final_norm);
  parts.shape = {.family = "gpt2",
                 .writes = true,
                 .num_layers = config.num_layers,
                 .num_heads = config.num_heads,
                 .num_kv_heads = config.num_heads,
                 .head_dim = config.embed_dim / config.num_heads,
                 .embed_dim = config.embed_dim,
                 .vocab_size = config.vocab_size,
                 .context_length = config.context_length,
                 .num_parameters = reader.num_parameters()};
  return std::make_unique<Decoder>(std::move(parts));
}

}  // namespace rapt::engine
