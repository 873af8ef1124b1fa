// The list of model families: the name in a file's metadata or config.json, and who loads it. See model.h.
#include "engine/error.h"
#include "engine/models/model.h"

namespace rapt::engine {
namespace {

constexpr struct {
  const char* name;  // "rapt.family", config.json's model_type, or GGUF's general.architecture
  std::unique_ptr<Model> (*load)(const ModelFiles& files, WeightReader& reader);
  bool in_gguf;
} kFamilies[] = {{"gpt2", load_gpt2, false},  {"llama", load_llama, true}, {"mistral", load_llama, false},
                 {"qwen2", load_llama, true}, {"qwen3", load_llama, true}, {"bert", load_bert, false}};

}  // namespace

std::unique_ptr<Model> load_model(const ModelFiles& files, WeightReader& reader) {
  std::string known;
  for (const auto& entry : kFamilies) {
    if (files.gguf != nullptr && !entry.in_gguf) continue;
    if (files.family == entry.name) return entry.load(files, reader);
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw_error(RAPT_UNSUPPORTED, "%s: the model family is %s; known%s are: %s", files.config_name.c_str(),
              printable(files.family).c_str(), files.gguf != nullptr ? " in GGUF" : "", known.c_str());
}

void Model::forward(rapt_context*, std::span<const Piece>, Scratch&, Observer*) const {
  throw_error(RAPT_INTERNAL, "a model of family %s makes vectors of texts and writes none", shape().family);
}

void Model::encode(rapt_context*, const std::int32_t*, std::span<const std::int64_t>, Scratch&, float*, Observer*) const {
  throw_error(RAPT_UNSUPPORTED, "a model of family %s writes text and makes no vectors", shape().family);
}

}  // namespace rapt::engine
