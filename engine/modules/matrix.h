// The weight and bias of a linear layer as a file holds them, before packing: read, stacked, cut. Only while loading.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/modules/linear.h"
#include "engine/weight_reader.h"

namespace rapt::engine {

struct Matrix {
  std::int64_t out = 0, in = 0;
  std::vector<float> weight;  // [out, in]
  std::vector<float> bias;    // [out], or empty

  // Puts the rows of `below` under these: one linear layer that computes both. A missing bias counts as zeros.
  void stack(const Matrix& below);
  // Rows begin ... end - 1.
  Matrix rows(std::int64_t begin, std::int64_t end) const;
  Linear pack(rapt_context* context, Arithmetic arithmetic = Arithmetic::kF32) const {
    return Linear(context, weight.data(), bias, out, in, arithmetic);
  }
};

// name + ".weight" [out, in] with the shape that the file gives it, and name + ".bias" if it is there.
Matrix read_matrix(WeightReader& reader, const std::string& name);

// The names that people give to the projections of one attention; output is for multi-head attention alone.
struct ProjectionNames {
  const char *query, *key, *value, *output;
};
inline constexpr ProjectionNames kProjectionNames[] = {
    {"q_proj", "k_proj", "v_proj", "out_proj"}, {"query", "key", "value", "proj"}, {"W_q", "W_k", "W_v", "W_o"}};

struct Projections {
  Matrix query, key, value;
};

// Reads prefix + q_proj.weight and so on under the first names of the list that the file has, and checks that they agree.
Projections read_projections(WeightReader& reader, const std::string& prefix);
bool has_projections(const WeightReader& reader, const std::string& prefix);

}  // namespace rapt::engine
