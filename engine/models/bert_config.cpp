// See bert_config.h. The keys are tables.
#include "engine/models/bert_config.h"

#include <sys/stat.h>

#include <optional>

#include "engine/error.h"
#include "engine/formats/mapped_file.h"
#include "engine/models/config.h"

namespace rapt::engine {
namespace {

constexpr struct {
  std::int64_t BertConfig::*field;
  const char* name;
  std::int64_t most;
} kIntegers[] = {{&BertConfig::num_layers, "num_hidden_layers", kMostLayers},
                 {&BertConfig::num_heads, "num_attention_heads", kMostHeads},
                 {&BertConfig::embed_dim, "hidden_size", kMostWidth},
                 {&BertConfig::feed_forward_dim, "intermediate_size", kMostWidth},
                 {&BertConfig::context_length, "max_position_embeddings", kMostContext},
                 {&BertConfig::vocab_size, "vocab_size", kMostVocab},
                 {&BertConfig::num_types, "type_vocab_size", kMostWidth}};

// Ways to pool that sentence-transformers has; a model uses one or several of them.
constexpr struct {
  const char* name;
  std::optional<Pooling> pooling;  // none: not known here
} kPoolings[] = {{"pooling_mode_mean_tokens", Pooling::kMean},
                 {"pooling_mode_cls_token", Pooling::kFirst},
                 {"pooling_mode_max_tokens", std::nullopt},
                 {"pooling_mode_mean_sqrt_len_tokens", std::nullopt},
                 {"pooling_mode_weightedmean_tokens", std::nullopt},
                 {"pooling_mode_lasttoken", std::nullopt}};

bool exists(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0;
}

// The object, or by parse_json_list the list, in a file of the folder; none if there is no such file.
std::optional<Json> read_json(const std::string& path, decltype(parse_json_object)* parse = parse_json_object) {
  if (!exists(path)) return std::nullopt;
  return parse(MappedFile(path).bytes(), printable(path), 4);
}

// What a vector goes through is a list, of which rapt computes these; Normalize changes nothing where every vector has length 1.
// The file that says how the Pooling among them pools; where there is no list, that of sentence-transformers' own folder, if it is there.
std::string pooling_file(const std::string& folder) {
  const std::string path = folder + "modules.json", where = printable(path);
  std::string found = folder + "1_Pooling/config.json";
  for (const Json& entry : read_json(path, parse_json_list).value_or(Json::array())) {
    if (!entry.is_object()) throw_error(RAPT_INVALID_FILE, "%s: not a list of objects", where.c_str());
    const std::string type = json_string(entry, "type", "", where), name = type.substr(type.rfind('.') + 1);
    if (name == "Transformer" || name == "Normalize") continue;
    if (name == "Pooling") {
      const std::string subfolder = json_string(entry, "path", "", where);
      if (subfolder.find('/') != std::string::npos || subfolder == ".." || !exists(folder + subfolder + "/config.json")) {
        throw_error(RAPT_INVALID_FILE, "%s: the path of Pooling is %s; it must be that of a folder with config.json beside it", where.c_str(),
                    printable(subfolder).c_str());
      }
      found = folder + subfolder + "/config.json";
      continue;
    }
    throw_error(RAPT_UNSUPPORTED, "%s: a module's type is %s; known are: Transformer, Pooling, Normalize", where.c_str(),
                printable(type).c_str());
  }
  return found;
}

}  // namespace

BertConfig parse_bert_config(const std::string& json, const std::string& what) {
  const Json object = parse_json_object(json, what, 4);
  BertConfig config;
  for (const auto& entry : kIntegers) config.*entry.field = json_integer(object, entry.name, 1, entry.most, what);
  if (config.embed_dim % config.num_heads != 0) {
    throw_error(RAPT_INVALID_FILE, "%s: hidden_size %lld is not a multiple of num_attention_heads %lld", what.c_str(),
                static_cast<long long>(config.embed_dim), static_cast<long long>(config.num_heads));
  }
  config.activation = parse_activation(json_string(object, "hidden_act", "gelu", what), what);
  config.norm_eps = parse_epsilon(object, "layer_norm_eps", "layer_norm_eps", 1e-12, what);
  const std::string positions = json_string(object, "position_embedding_type", "absolute", what);
  if (positions != "absolute") {
    throw_error(RAPT_UNSUPPORTED, "%s: position_embedding_type is %s; it must be 'absolute'", what.c_str(),
                printable(positions).c_str());
  }
  if (json_bool(object, "is_decoder", false, what)) {
    throw_error(RAPT_UNSUPPORTED, "%s: is_decoder must be false", what.c_str());
  }
  return config;
}

SentenceConfig read_sentence_config(const std::string& folder) {
  SentenceConfig config;
  const std::string limits = folder + "sentence_bert_config.json", pooling = pooling_file(folder);
  if (const std::optional<Json> object = read_json(limits)) {
    if (object->contains("max_seq_length") && !(*object)["max_seq_length"].is_null()) {
      config.most_tokens = json_integer(*object, "max_seq_length", 1, kMostContext, printable(limits));
    }
    config.lower_case = json_bool(*object, "do_lower_case", false, printable(limits));
  }
  const std::optional<Json> object = read_json(pooling);
  if (!object) return config;
  int chosen = 0;
  bool known = true;
  for (const auto& entry : kPoolings) {
    if (!json_bool(*object, entry.name, false, printable(pooling))) continue;
    ++chosen;
    known = known && entry.pooling.has_value();
    if (entry.pooling) config.pooling = *entry.pooling;
  }
  if (chosen != 1 || !known) {
    throw_error(RAPT_UNSUPPORTED, "%s: exactly one of %s and %s must be true", printable(pooling).c_str(), kPoolings[0].name,
                kPoolings[1].name);
  }
  return config;
}

}  // namespace rapt::engine
