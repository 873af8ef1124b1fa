// The Llama family as decoders: RMS norms, rotary positions, grouped heads, a gated feed-forward layer; tensor names in Hugging
// Face's files and in GGUF. Implements model.h.
#include "engine/error.h"
#include "engine/models/decoder.h"
#include "engine/models/llama_config.h"

namespace rapt::engine {
namespace {

struct LlamaNames {
  const char *token_embedding, *block, *attention_norm, *query, *key, *value, *query_norm, *key_norm, *attention_output;
  const char *feed_forward_norm, *gate, *up, *down, *final_norm, *head;
};

constexpr LlamaNames kHuggingFace = {.token_embedding = "model.embed_tokens.weight",
                                     .block = "model.layers.",
                                     .attention_norm = ".input_layernorm",
                                     .query = ".self_attn.q_proj",
                                     .key = ".self_attn.k_proj",
                                     .value = ".self_attn.v_proj",
                                     .query_norm = ".self_attn.q_norm",
                                     .key_norm = ".self_attn.k_norm",
                                     .attention_output = ".self_attn.o_proj",
                                     .feed_forward_norm = ".post_attention_layernorm",
                                     .gate = ".mlp.gate_proj",
                                     .up = ".mlp.up_proj",
                                     .down = ".mlp.down_proj",
                                     .final_norm = "model.norm",
                                     .head = "lm_head.weight"};

constexpr LlamaNames kGguf = {.token_embedding = "token_embd.weight",
                              .block = "blk.",
                              .attention_norm = ".attn_norm",
                              .query = ".attn_q",
                              .key = ".attn_k",
                              .value = ".attn_v",
                              .query_norm = ".attn_q_norm",
                              .key_norm = ".attn_k_norm",
                              .attention_output = ".attn_output",
                              .feed_forward_norm = ".ffn_norm",
                              .gate = ".ffn_gate",
                              .up = ".ffn_up",
                              .down = ".ffn_down",
                              .final_norm = "output_norm",
                              .head = "output.weight"};

// Factors that Llama 3.1's frequencies are divided by, computed by GGUF's converter.
constexpr const char* kGgufFrequencyFactors = "rope_freqs.weight";

Bias needed(bool required) { return required ? Bias::kRequired : Bias::kOptional; }

// Which blocks' layers all round their inputs finely: those whose errors grow most on their way to the logits. In int8 the first and the last
// tenth of the blocks; in bf16 nearly the first half and the last tenth. Both were found with SmolLM2 (engine/README.md).
Rounding rounding_of(std::int64_t index, std::int64_t num_layers, Arithmetic arithmetic) {
  const std::int64_t last = (num_layers + 9) / 10, first = arithmetic == Arithmetic::kBf16 ? num_layers * 7 / 15 : last;
  return index < first || index >= num_layers - last ? Rounding::kFine : Rounding::kCoarse;
}

TransformerBlock load_block(const LlamaConfig& config, const LlamaNames& names, std::int64_t index, WeightReader& reader) {
  const std::string name = names.block + std::to_string(index);
  const std::int64_t dim = config.embed_dim, inner = config.feed_forward_dim;
  const std::int64_t width = config.num_heads * config.head_dim, kv_width = config.num_kv_heads * config.head_dim;
  const Bias qkv = needed(config.qkv_bias), feed_forward = needed(config.feed_forward_bias);
  const Rounding rounding = rounding_of(index, config.num_layers, reader.wanted_arithmetic());
  TransformerBlock block;
  block.attention_norm = reader.rms_norm(name + names.attention_norm, dim, config.norm_eps);
  block.attention = {.query = reader.linear(name + names.query, width, dim, qkv, rounding),
                     .key = reader.linear(name + names.key, kv_width, dim, qkv, rounding),
                     .value = reader.linear(name + names.value, kv_width, dim, qkv, Rounding::kFine),
                     .output = reader.linear(name + names.attention_output, dim, width, needed(config.output_bias), rounding),
                     .num_heads = config.num_heads,
                     .num_kv_heads = config.num_kv_heads,
                     .head_dim = config.head_dim,
                     .window = config.windows[static_cast<std::size_t>(index)]};
  if (config.variant->head_norms) {
    block.attention.query_norm = reader.rms_norm(name + names.query_norm, config.head_dim, config.norm_eps);
    block.attention.key_norm = reader.rms_norm(name + names.key_norm, config.head_dim, config.norm_eps);
  }
  block.feed_forward_norm = reader.rms_norm(name + names.feed_forward_norm, dim, config.norm_eps);
  block.feed_forward = {.up = reader.linear(name + names.up, inner, dim, feed_forward, rounding),
                        .down = reader.linear(name + names.down, dim, inner, feed_forward, rounding),
                        .gate = reader.linear(name + names.gate, inner, dim, feed_forward, rounding),
                        .activation = config.activation};
  return block;
}

}  // namespace

std::unique_ptr<Model> load_llama(const ModelFiles& files, WeightReader& reader) {
  const LlamaNames& names = files.gguf != nullptr ? kGguf : kHuggingFace;
  LlamaConfig config = parse_llama_config(files);
  if (files.gguf != nullptr) {
    config.vocab_size = reader.shape(names.token_embedding, 2)[0];
    config.tied_head = !reader.has(names.head);
  }
  DecoderParts parts;
  if (config.tied_head) {
    parts.head = Linear(reader.packed(names.token_embedding, config.vocab_size, config.embed_dim, Rounding::kFine));
  } else {
    parts.token_embedding = reader.embedding(names.token_embedding, config.vocab_size, config.embed_dim);
    parts.head = Linear(reader.packed(names.head, config.vocab_size, config.embed_dim, Rounding::kFine));
  }
  for (std::int64_t i = 0; i < config.num_layers; ++i) parts.blocks.push_back(load_block(config, names, i, reader));
  parts.final_norm = reader.rms_norm(names.final_norm, config.embed_dim, config.norm_eps);
  parts.rotary = {.pairing = config.pairing, .frequencies = config.rotary_frequencies};
  if (files.gguf != nullptr && reader.has(kGgufFrequencyFactors)) {
    std::vector<double>& all = parts.rotary.frequencies;
    const std::vector<float> factors = reader.read(kGgufFrequencyFactors, {static_cast<std::int64_t>(all.size())});
    for (std::size_t i = 0; i < all.size(); ++i) all[i] /= static_cast<double>(factors[i]);
  }
  parts.shape = {.family = config.variant->name,
                 .writes = true,
                 .num_layers = config.num_layers,
                 .num_heads = config.num_heads,
                 .num_kv_heads = config.num_kv_heads,
                 .head_dim = config.head_dim,
                 .embed_dim = config.embed_dim,
                 .vocab_size = config.vocab_size,
                 .context_length = config.context_length,
                 .num_parameters = reader.num_parameters()};
  return std::make_unique<Decoder>(std::move(parts));
}

}  // namespace rapt::engine
