// The shape of one attention problem, from the text of --shape. Layer: tools. Used by compare.cpp.
#pragma once
#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

namespace rapt::tool {

// Plain `long long`, so that printf takes them as they are.
struct Shape {
  long long batch = 1, q_heads = 8, kv_heads = 8, q_len = 1024, kv_len = 1024, head_dim = 64;

  std::size_t q_size() const { return static_cast<std::size_t>(batch * q_heads * q_len * head_dim); }
  std::size_t kv_size() const { return static_cast<std::size_t>(batch * kv_heads * kv_len * head_dim); }

  // Pairs of a query and a key that it sees, over all heads; causal: aligned at the last query and the last key.
  double visible_pairs(bool causal) const;
};

// Checks for CLI::Option::check; what it lets through, parse_shape parses.
CLI::Validator shape_text();
Shape parse_shape(const std::string& text);

}  // namespace rapt::tool
