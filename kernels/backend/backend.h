// A backend: one way to compute an AttentionProblem. Layer: kernels/backend.
// The list is data: dispatch, tests, benchmarks and the command iterate it through rapt_backend_name.
#pragma once
#include <cstddef>
#include <string>

#include "kernels/attention/problem.h"
#include "rapt/rapt.h"

struct rapt_context;

namespace rapt {

struct Backend {
  const char* name;
  const char* (*unavailable)();  // null, or why this build cannot: "was not built in: ..."
  const char* (*version)();
  // For a problem with output: batch and q_len are not 0. May throw std::bad_alloc and std::runtime_error, as may the next.
  void (*run)(rapt_context& context, const AttentionProblem& problem);
  std::size_t (*workspace_bytes)(const rapt_context& context, const AttentionProblem& problem);
  std::string (*explain)(const rapt_context& context, const AttentionProblem& problem);
};

extern const Backend native_backend;     // "rapt": the kernels
extern const Backend reference_backend;  // "reference": three loops in double, the oracle
extern const Backend onednn_backend;     // "onednn": its matmul, softmax between, for comparison

inline constexpr const char* kDefaultBackend = "rapt";

const Backend* backend_at(int index);          // null past the last
const Backend* find_backend(const char* name);  // null: none of that name
std::string all_backends();                     // "rapt, reference, onednn", for error texts

}  // namespace rapt
