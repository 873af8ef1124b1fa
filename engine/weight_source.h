// The tensors of a model, whatever its format and in however many files: shape, type of weight, bytes. Who calls: weight_reader.cpp.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/gguf_split.h"
#include "engine/formats/safetensors.h"
#include "engine/formats/sharded_safetensors.h"
#include "kernels/kernels.h"

namespace rapt::engine {

struct StoredTensor {
  std::vector<std::int64_t> shape;  // the outermost extent first: a linear layer is [out, in]
  std::optional<WeightType> type;   // none: not a type of weights
  std::string type_name;            // as the format has it
  std::string_view bytes;           // of any alignment; empty where the type is none
  std::string_view path;            // of the file that it is in
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual const std::string& path() const = 0;   // of the file that was loaded: of several the first, or the index
  virtual std::uint64_t data_bytes() const = 0;  // of all tensors
  virtual bool has(const std::string& name) const = 0;
  // RAPT_INVALID_FILE, naming it, if there is none.
  virtual StoredTensor tensor(const std::string& name) const = 0;
};

class SafeTensorsSource : public WeightSource {
 public:
  explicit SafeTensorsSource(const SafeTensors& file) : file_(file) {}
  const std::string& path() const override { return file_.path(); }
  std::uint64_t data_bytes() const override { return file_.data_bytes(); }
  bool has(const std::string& name) const override { return file_.has(name); }
  StoredTensor tensor(const std::string& name) const override;

 private:
  const SafeTensors& file_;
};

class ShardedSafeTensorsSource : public WeightSource {
 public:
  explicit ShardedSafeTensorsSource(const ShardedSafeTensors& files) : files_(files) {}
  const std::string& path() const override { return files_.path(); }
  std::uint64_t data_bytes() const override { return files_.data_bytes(); }
  bool has(const std::string& name) const override { return files_.find(name) != nullptr; }
  StoredTensor tensor(const std::string& name) const override;

 private:
  const ShardedSafeTensors& files_;
};

class GgufSource : public WeightSource {
 public:
  explicit GgufSource(const GgufSplit& files) : files_(files) {}
  const std::string& path() const override { return files_.first().path(); }
  std::uint64_t data_bytes() const override { return files_.data_bytes(); }
  bool has(const std::string& name) const override { return files_.find(name) != nullptr; }
  StoredTensor tensor(const std::string& name) const override;

 private:
  const GgufSplit& files_;
};

}  // namespace rapt::engine
