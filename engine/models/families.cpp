// The list of model families: the name in a file's metadata or config.json, and who loads it. See model.h.
#include "engine/error.h"
#include "engine/models/model.h"

namespace rapt::engine {
namespace {

constexpr struct {
  const char* name;
  std::unique_ptr<Model> (*load)(const std::string& config, const std::string& what, WeightReader& reader);
} kFamilies[] = {{"gpt2", load_gpt2}};

}  // namespace

std::unique_ptr<Model> load_model(const std::string& family, const std::string& config, const std::string& what,
                                  WeightReader& reader) {
  std::string known;
  for (const auto& entry : kFamilies) {
    if (family == entry.name) return entry.load(config, what, reader);
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw_error(RAPT_UNSUPPORTED, "%s: the model family is %s; known are: %s", what.c_str(), printable(family).c_str(),
              known.c_str());
}

}  // namespace rapt::engine
