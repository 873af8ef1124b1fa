// BERT (Devlin et al. 2018) as an encoder of sentences: tensor names. The file may be BertModel's or that of a larger model which
// has one inside. Implements model.h.
#include <algorithm>

#include "engine/error.h"
#include "engine/models/bert_config.h"

namespace rapt::engine {
namespace {

constexpr struct {
  const char* token_embedding = "embeddings.word_embeddings.weight";
  const char* position_embedding = "embeddings.position_embeddings.weight";
  const char* type_embedding = "embeddings.token_type_embeddings.weight";
  const char* embedding_norm = "embeddings.LayerNorm";
  const char* block = "encoder.layer.";
  const char* query = ".attention.self.query";
  const char* key = ".attention.self.key";
  const char* value = ".attention.self.value";
  const char* attention_output = ".attention.output.dense";
  const char* attention_norm = ".attention.output.LayerNorm";
  const char* feed_forward_up = ".intermediate.dense";
  const char* feed_forward_down = ".output.dense";
  const char* feed_forward_norm = ".output.LayerNorm";
} kNames;
constexpr const char* kPrefix = "bert.";  // of all names, in files of larger models

class BertLoader {
 public:
  BertLoader(const BertConfig& config, WeightReader& reader)
      : config_(config), reader_(reader), prefix_(reader.has(std::string(kPrefix) + kNames.token_embedding) ? kPrefix : "") {}

  Embedding token_embedding() {
    return reader_.embedding(prefix_ + kNames.token_embedding, config_.vocab_size, config_.embed_dim);
  }

  // Of a place, and of the first type: a single text is all of that type.
  std::vector<float> position_embedding() {
    const std::int64_t dim = config_.embed_dim;
    std::vector<float> places = reader_.read(prefix_ + kNames.position_embedding, {config_.context_length, dim});
    const std::vector<float> types = reader_.read(prefix_ + kNames.type_embedding, {config_.num_types, dim});
    for (std::size_t i = 0; i < places.size(); ++i) places[i] += types[i % static_cast<std::size_t>(dim)];
    return places;
  }

  Norm embedding_norm() { return norm(kNames.embedding_norm); }

  TransformerBlock block(std::int64_t index) {
    const std::string name = kNames.block + std::to_string(index);
    const std::int64_t dim = config_.embed_dim, inner = config_.feed_forward_dim;
    TransformerBlock block;
    block.post_norm = true;
    block.attention = {.query = linear(name + kNames.query, dim, dim),
                       .key = linear(name + kNames.key, dim, dim),
                       .value = linear(name + kNames.value, dim, dim),
                       .output = linear(name + kNames.attention_output, dim, dim),
                       .num_heads = config_.num_heads,
                       .num_kv_heads = config_.num_heads,
                       .head_dim = dim / config_.num_heads};
    block.attention_norm = norm(name + kNames.attention_norm);
    block.feed_forward = {.up = linear(name + kNames.feed_forward_up, inner, dim),
                          .down = linear(name + kNames.feed_forward_down, dim, inner),
                          .gate = {},
                          .activation = config_.activation};
    block.feed_forward_norm = norm(name + kNames.feed_forward_norm);
    return block;
  }

 private:
  Linear linear(const std::string& name, std::int64_t out, std::int64_t in) {
    return reader_.linear(prefix_ + name, out, in, Bias::kRequired);
  }
  Norm norm(const std::string& name) { return reader_.layer_norm(prefix_ + name, config_.embed_dim, config_.norm_eps); }

  const BertConfig& config_;
  WeightReader& reader_;
  std::string prefix_;
};

}  // namespace

std::unique_ptr<Model> load_bert(const ModelFiles& files, WeightReader& reader) {
  const BertConfig config = parse_bert_config(files.config, files.config_name);
  const SentenceConfig sentence = read_sentence_config(files.folder);
  if (sentence.lower_case && files.tokenizer != nullptr && files.tokenizer->encode("A") != files.tokenizer->encode("a")) {
    throw_error(RAPT_UNSUPPORTED, "%s: do_lower_case is true, but the tokenizer keeps capitals; it must be false",
                printable(files.folder + "sentence_bert_config.json").c_str());
  }
  reader.begin_encoder();
  BertLoader loader(config, reader);
  EncoderParts parts;
  parts.token_embedding = loader.token_embedding();
  parts.position_embedding = loader.position_embedding();
  parts.embedding_norm = loader.embedding_norm();
  for (std::int64_t i = 0; i < config.num_layers; ++i) parts.blocks.push_back(loader.block(i));
  parts.pooling = sentence.pooling;
  const std::int64_t most = sentence.most_tokens > 0 ? sentence.most_tokens : config.context_length;
  parts.shape = {.family = "bert",
                 .writes = false,
                 .num_layers = config.num_layers,
                 .num_heads = config.num_heads,
                 .num_kv_heads = config.num_heads,
                 .head_dim = config.embed_dim / config.num_heads,
                 .embed_dim = config.embed_dim,
                 .vocab_size = config.vocab_size,
                 .context_length = std::min(most, config.context_length),
                 .num_parameters = reader.num_parameters()};
  return std::make_unique<Encoder>(std::move(parts));
}

}  // namespace rapt::engine
