// See weight_source.h. Both formats name a type as weight_format does.
#include "engine/weight_source.h"

#include "engine/error.h"

namespace rapt::engine {
namespace {

std::optional<WeightType> type_called(std::string_view name) {
  for (int i = 0; i < kNumWeightTypes; ++i) {
    const WeightType type = static_cast<WeightType>(i);
    if (name == weight_format(type).name) return type;
  }
  return std::nullopt;
}

[[noreturn]] void throw_missing(const std::string& path, const std::string& name) {
  throw_error(RAPT_INVALID_FILE, "%s: there is no tensor %s", printable(path).c_str(), printable(name).c_str());
}

}  // namespace

StoredTensor SafeTensorsSource::tensor(const std::string& name) const {
  const TensorEntry& entry = file_.entry(name);
  return {entry.shape, type_called(entry.dtype), entry.dtype, file_.bytes(name), file_.path()};
}

StoredTensor ShardedSafeTensorsSource::tensor(const std::string& name) const {
  const SafeTensors* const file = files_.find(name);
  if (file == nullptr) throw_missing(path(), name);
  return SafeTensorsSource(*file).tensor(name);
}

StoredTensor GgufSource::tensor(const std::string& name) const {
  const Gguf* const file = files_.find(name);
  if (file == nullptr) throw_missing(path(), name);
  const GgufTensor& tensor = file->tensor(name);
  const GgufTypeInfo* const info = gguf_type_info(tensor.type);
  if (info == nullptr) return {tensor.shape(), std::nullopt, "of GGUF's type " + std::to_string(tensor.type), {}, file->path()};
  return {tensor.shape(), type_called(info->name), info->name, file->bytes(tensor), file->path()};
}

}  // namespace rapt::engine
