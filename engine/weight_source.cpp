// See weight_source.h. Both formats name a type as weight_format does.
#include "engine/weight_source.h"

namespace rapt::engine {
namespace {

std::optional<WeightType> type_called(std::string_view name) {
  for (int i = 0; i < kNumWeightTypes; ++i) {
    const WeightType type = static_cast<WeightType>(i);
    if (name == weight_format(type).name) return type;
  }
  return std::nullopt;
}

}  // namespace

StoredTensor SafeTensorsSource::tensor(const std::string& name) const {
  const TensorEntry& entry = file_.entry(name);
  return {entry.shape, type_called(entry.dtype), entry.dtype, file_.bytes(name)};
}

StoredTensor GgufSource::tensor(const std::string& name) const {
  const GgufTensor& tensor = file_.tensor(name);
  const GgufTypeInfo* const info = gguf_type_info(tensor.type);
  if (info == nullptr) return {tensor.shape(), std::nullopt, "of GGUF's type " + std::to_string(tensor.type), {}};
  return {tensor.shape(), type_called(info->name), info->name, file_.bytes(tensor)};
}

}  // namespace rapt::engine
