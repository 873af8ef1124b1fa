// Reads the weights of modules from a model file: checks shapes and types, counts parameters, reports progress, and lets the
// file's pages go once they are read. Who calls: models/ and modules/ while loading.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/modules/embedding.h"
#include "engine/modules/linear.h"
#include "engine/modules/norm.h"
#include "engine/weight_source.h"
#include "rapt/rapt.h"

namespace rapt::engine {

// Whether a layer that its file gives no bias may go without one.
enum class Bias { kOptional, kRequired };

// How finely a layer rounds its inputs: in int8 arithmetic Arithmetic::kInt8 or kInt8Fine, in bf16 kBf16 or, not at all, kF32.
enum class Rounding { kCoarse, kFine };

class WeightReader {
 public:
  // context packs the weights. prefix: put before every name. on_progress: the fraction of the file's bytes read so far;
  // true cancels: Error(RAPT_CANCELLED). arithmetic: for the layers whose type of weight supports it.
  WeightReader(rapt_context* context, const WeightSource& source, std::string prefix, std::function<bool(double)> on_progress,
               Arithmetic arithmetic = Arithmetic::kF32)
      : context_(context),
        source_(source),
        prefix_(std::move(prefix)),
        on_progress_(std::move(on_progress)),
        arithmetic_(arithmetic) {}

  rapt_context* context() const { return context_; }
  // That was asked for.
  Arithmetic wanted_arithmetic() const { return arithmetic_; }
  // The layers read from here on are an encoder's: they see whole texts, so f32 may be multiplied in the way that suits many rows.
  void begin_encoder() { is_encoder_ = true; }
  const std::string& path() const { return source_.path(); }
  bool has(const std::string& name) const { return source_.has(prefix_ + name); }
  // The name in the file, fit to be printed.
  std::string full_name(const std::string& name) const;
  // The shape of a tensor that must have `dims` dimensions.
  std::vector<std::int64_t> shape(const std::string& name, std::size_t dims) const;

  // The values of a tensor that must have this shape.
  std::vector<float> read(const std::string& name, const std::vector<std::int64_t>& shape);
  // The same if the tensor is there, else nothing: an optional bias.
  std::vector<float> read_optional(const std::string& name, const std::vector<std::int64_t>& shape);
  // name + ".weight" [out, in], kept in the file's type, and name + ".bias" [out].
  Linear linear(const std::string& name, std::int64_t out, std::int64_t in, Bias bias = Bias::kOptional,
                Rounding rounding = Rounding::kCoarse);
  // name + ".weight" [dim] and name + ".bias".
  Norm layer_norm(const std::string& name, std::int64_t dim, float eps, Bias bias = Bias::kRequired);
  Norm rms_norm(const std::string& name, std::int64_t dim, float eps);
  // The arithmetic of a layer with such weights, which will have one.
  Arithmetic arithmetic(WeightType type, Rounding rounding = Rounding::kCoarse);
  // `name` [rows, dim], kept in the file's type: a head, or an embedding that has no head to share its weight with.
  PackedWeight packed(const std::string& name, std::int64_t rows, std::int64_t dim, Rounding rounding = Rounding::kCoarse);
  Embedding embedding(const std::string& name, std::int64_t rows, std::int64_t dim);

  std::int64_t num_parameters() const { return num_parameters_; }
  // Whether a layer's arithmetic rounds its inputs.
  bool rounds_inputs() const { return rounds_inputs_; }
  // Tells models apart: a CRC-32 over the names of the tensors read and the first bytes of each, and over what was noted.
  std::uint32_t fingerprint() const { return fingerprint_; }
  void note(std::string_view configuration);

 private:
  // The tensor, which must have this shape and a type of weights.
  StoredTensor need(const std::string& name, const std::vector<std::int64_t>& shape) const;
  // The tensor was read: its bytes count, and its pages may go.
  void done_with(const std::string& name, const StoredTensor& tensor, std::int64_t count);

  rapt_context* context_;
  const WeightSource& source_;
  std::string prefix_;
  std::function<bool(double)> on_progress_;
  Arithmetic arithmetic_;
  bool rounds_inputs_ = false, is_encoder_ = false;
  std::int64_t num_parameters_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint32_t fingerprint_ = 0;
};

}  // namespace rapt::engine
