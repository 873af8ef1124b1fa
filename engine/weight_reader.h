// Reads the weights of modules from a safetensors file: checks shapes, counts parameters, reports progress.
// Who calls: models/ and modules/ while loading.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/formats/safetensors.h"
#include "rapt/rapt.h"

namespace rapt::engine {

class WeightReader {
 public:
  // context packs the weights. prefix: put before every name. on_progress: the fraction of the file's bytes read so far;
  // true cancels: Error(RAPT_CANCELLED).
  WeightReader(rapt_context* context, const SafeTensors& file, std::string prefix, std::function<bool(double)> on_progress)
      : context_(context), file_(file), prefix_(std::move(prefix)), on_progress_(std::move(on_progress)) {}

  rapt_context* context() const { return context_; }
  const std::string& path() const { return file_.path(); }
  bool has(const std::string& name) const { return file_.has(prefix_ + name); }
  // The name in the file, fit to be printed.
  std::string full_name(const std::string& name) const;
  // The shape of a tensor that must have `dims` dimensions.
  std::vector<std::int64_t> shape(const std::string& name, std::size_t dims) const;
  // The values of a tensor that must have this shape.
  std::vector<float> read(const std::string& name, const std::vector<std::int64_t>& shape);
  // The same if the tensor is there, else nothing: an optional bias.
  std::vector<float> read_optional(const std::string& name, const std::vector<std::int64_t>& shape);

  std::int64_t num_parameters() const { return num_parameters_; }
  // Tells models apart: a CRC-32 over the names of the tensors read and the first bytes of each.
  std::uint32_t fingerprint() const { return fingerprint_; }

 private:
  rapt_context* context_;
  const SafeTensors& file_;
  std::string prefix_;
  std::function<bool(double)> on_progress_;
  std::int64_t num_parameters_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint32_t fingerprint_ = 0;
};

}  // namespace rapt::engine
