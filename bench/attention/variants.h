// The variants of an attention call that are measured beside the plain one: masks, score operations, storage types, pages.
// Each is a line of the list in variants.cpp. Layer: bench.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "bench/attention/shapes.h"
#include "bench/common/buffer.h"
#include "rapt/rapt.h"

namespace rapt::bench {

// The parameters of a call without its output, and the memory of what a variant adds. q, k and v may lie elsewhere.
struct Call {
  rapt_context* context;  // writes pages; of the level that reads them, because panels are laid out for one
  Shape shape;
  rapt_attention_params params;
  rapt_dtype out_type = RAPT_F32;
  std::vector<Buffer> buffers;
  std::vector<std::int32_t> block_table;
  std::vector<std::int64_t> kv_lengths;
};

struct Variant {
  const char* name;
  const char* what;               // for a person, a few words
  void (*apply)(Call&);           // turns the plain call into this one
  double (*bytes)(const Shape&);  // that apply allocates, about
};

std::size_t type_size(rapt_dtype type);  // of an element, in bytes

const std::vector<Variant>& variants();  // the first is "plain"

// By name. Throws BadInput.
const Variant& parse_variant(const std::string& name);

// Contiguous f32 inputs [batch, heads, length, dim] of the shape, its causal mask; `variant` applied.
Call make_call(const Variant& variant, rapt_context* context, const Shape& shape, const float* q, const float* k, const float* v);

}  // namespace rapt::bench
