// Implements attention_arguments.h. A new member of rapt_attention_params is a line in one of the tables.
#include "attention_arguments.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace nb = nanobind;

namespace {

using Params = rapt_attention_params;

constexpr const char* kQkv = "[batch, heads, length, head_dim]";
constexpr const char* kDense = "[batch, num_q_heads, q_len, kv_len]";
constexpr const char* kBlocks = "[batch, num_q_heads, blocks of queries, blocks of keys]";
constexpr const char* kFactors = "[batch, num_kv_heads, kv_len]";

constexpr TensorKind row_output(const char* layout) { return {kFloat32, Form::kRows, layout, true}; }

constexpr TensorMember<Params> kTensors[] = {
    {"q", &Params::q, {kFloats, Form::kTensor, kQkv, false}},
    {"k", &Params::k, {kStored, Form::kTensor, kQkv, false}},
    {"v", &Params::v, {kStored, Form::kTensor, kQkv, false}},
    {"out", &Params::out, {kFloats, Form::kTensor, kQkv, true}},
    {"lse", &Params::lse, row_output("[batch, num_q_heads, q_len]")},
    {"mask", &Params::mask, {kMasks, Form::kBroadcast, kDense, false}},
    {"bias", &Params::bias, {kFloats, Form::kBroadcast, kDense, false}},
    {"block_mask", &Params::block_mask, {kBool, Form::kBroadcast, kBlocks, false}},
    {"k_scale", &Params::k_scale, {kFloat32, Form::kRows, kFactors, false}},
    {"v_scale", &Params::v_scale, {kFloat32, Form::kRows, kFactors, false}},
    {"weights", &Params::weights, {kFloat32, Form::kTensor, kDense, true}},
    {"column_sums", &Params::column_sums, row_output("[batch, num_q_heads, kv_len]")},
    {"entropy", &Params::entropy, row_output("[batch, num_q_heads, q_len]")},
    {"max_score", &Params::max_score, row_output("[batch, num_q_heads, q_len]")},
};

constexpr std::pair<const char*, double Params::*> kDoubles[] = {{"softmax_scale", &Params::softmax_scale},
                                                                 {"softcap", &Params::softcap}};
constexpr std::pair<const char*, std::int64_t Params::*> kIntegers[] = {
    {"window_left", &Params::window_left},     {"window_right", &Params::window_right},
    {"num_sequences", &Params::num_sequences}, {"block_mask_q", &Params::block_mask_q},
    {"block_mask_kv", &Params::block_mask_kv}, {"block_table_stride", &Params::block_table_stride},
};

constexpr std::pair<const char*, const std::int64_t * Params::*> kInt64Arrays[] = {
    {"kv_lengths", &Params::kv_lengths},         {"q_offsets", &Params::q_offsets},
    {"prefix_lengths", &Params::prefix_lengths}, {"cu_seqlens_q", &Params::cu_seqlens_q},
    {"cu_seqlens_k", &Params::cu_seqlens_k},     {"weight_heads", &Params::weight_heads},
    {"weight_rows", &Params::weight_rows},
};
constexpr std::pair<const char*, const std::int32_t * Params::*> kInt32Arrays[] = {
    {"q_documents", &Params::q_documents}, {"block_table", &Params::block_table}};
constexpr std::pair<const char*, const float * Params::*> kFloatArrays[] = {{"alibi_slopes", &Params::alibi_slopes},
                                                                            {"sinks", &Params::sinks}};

// The entry of one of the tables above; null if it has none of this name.
template <class Table>
auto find(const Table& table, const char* name) -> decltype(&table[0]) {
  for (const auto& entry : table)
    if (std::strcmp(std::get<0>(entry), name) == 0) return &entry;
  return nullptr;
}

}  // namespace

void AttentionArguments::set(const char* name, nb::handle value) {
  if (std::strcmp(name, "causal") == 0)
    params_.causal = static_cast<rapt_causal>(nb::cast<int>(value));
  else if (std::strcmp(name, "k_layout") == 0)
    params_.k_layout = static_cast<rapt_kv_layout>(nb::cast<int>(value));
  else if (std::strcmp(name, "tree_mask") == 0)
    set_tree_mask(value);
  else if (std::strcmp(name, "k_documents") == 0)
    set_k_documents(value);
  else if (!set_tensor(kTensors, params_, arrays_, name, value) && !set_number(name, value) && !set_elements(name, value))
    throw std::logic_error("rapt: no argument is called " + std::string(name));
}

void AttentionArguments::set_extents(const char* name, const nb::tuple& extents) {
  const auto extent = [&](int i) { return nb::cast<std::int64_t>(extents[i]); };
  params_.*find_tensor(kTensors, name)->member = rapt_tensor_of(nullptr, RAPT_F32, extent(0), extent(1), extent(2), extent(3));
}

void AttentionArguments::set_made(const char* name, nb::handle value) {
  set(name, value);
  made_.push_back(find_tensor(kTensors, name)->member);
}

void AttentionArguments::fill_rows_of_none() const {
  if (!params_.cu_seqlens_q) return;
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  for (const auto member : made_) {
    if (member == &Params::column_sums) continue;  // its rows are keys
    const rapt_tensor& made = params_.*member;
    const float value = member == &Params::lse || member == &Params::max_score ? kHidden : 0;
    const std::int64_t first = std::clamp<std::int64_t>(params_.cu_seqlens_q[params_.num_sequences], 0, made.shape[2]);
    for (std::int64_t head = 0; head < made.shape[1]; ++head) {  // in a batch of one
      const std::int64_t start = head * made.strides[1] + first * made.strides[2], count = (made.shape[2] - first) * made.shape[3];
      if (made.dtype == RAPT_F32)
        std::fill_n(static_cast<float*>(made.data) + start, count, value);
      else
        std::fill_n(static_cast<std::uint16_t*>(made.data) + start, count, std::uint16_t{0});  // bf16 or f16
    }
  }
}

const rapt_attention_params& AttentionArguments::params() {
  if (!params_.out.data) params_.out.dtype = params_.q.dtype;
  check_overlap("q", params_.q);
  check_overlap("k", params_.k);
  check_overlap("v", params_.v);
  check_overlap("mask", params_.mask);
  check_overlap("bias", params_.bias);
  check_documents();
  return params_;
}

bool AttentionArguments::set_number(const char* name, nb::handle value) {
  if (const auto* number = find(kDoubles, name))
    params_.*number->second = nb::cast<double>(value);
  else if (const auto* integer = find(kIntegers, name))
    params_.*integer->second = nb::cast<std::int64_t>(value);
  else
    return false;
  return true;
}

bool AttentionArguments::set_elements(const char* name, nb::handle value) {
  if (const auto* wide = find(kInt64Arrays, name))
    params_.*wide->second = arrays_.elements<std::int64_t>(name, value);
  else if (const auto* narrow = find(kInt32Arrays, name))
    params_.*narrow->second = arrays_.elements<std::int32_t>(name, value);
  else if (const auto* real = find(kFloatArrays, name))
    params_.*real->second = arrays_.elements<float>(name, value);
  else
    return false;
  return true;
}

void AttentionArguments::set_k_documents(nb::handle value) {
  params_.k_documents = arrays_.elements<std::int32_t>("k_documents", value);
  keys_of_documents_ = static_cast<std::int64_t>(arrays_.last().shape(1));
}

// To bits: [batch, q_len, ceil(q_len / 64)].
void AttentionArguments::set_tree_mask(nb::handle value) {
  const bool* visible = arrays_.elements<bool>("tree_mask", value);
  const auto& array = arrays_.last();
  const size_t rows = array.shape(0) * array.shape(1), length = array.shape(2), words = (length + 63) / 64;
  tree_mask_.assign(rows * words + 1, 0);  // one more: never empty, so that the pointer is not NULL
  for (size_t row = 0; row < rows; ++row)
    for (size_t j = 0; j < length; ++j)
      tree_mask_[row * words + j / 64] |= static_cast<std::uint64_t>(visible[row * length + j]) << (j % 64);
  params_.tree_mask = tree_mask_.data();
}

// The usual slip, out=q. Overlaps that do not start at the same element are the caller's promise, as in rapt.h.
void AttentionArguments::check_overlap(const char* name, const rapt_tensor& input) const {
  if (input.data != params_.out.data || !input.data) return;
  throw nb::value_error(("out overlaps " + std::string(name) + "; it must be memory of its own").c_str());
}

// rapt.h has no extent of k_documents: it is [batch, the largest of kv_lengths], and a prepared call reads the lengths anew.
void AttentionArguments::check_documents() const {
  if (!params_.k_documents || !params_.block_table || params_.cu_seqlens_q) return;  // what excludes each other rapt_attention says
  const auto batch = static_cast<size_t>(params_.q.shape[0]);
  std::int64_t kv_len = 0;
  for (size_t b = 0; b < batch; ++b) kv_len = std::max(kv_len, params_.kv_lengths[b]);
  if (kv_len == keys_of_documents_) return;
  throw nb::value_error(("k_documents has " + std::to_string(keys_of_documents_) + " keys a batch; it must have " +
                         std::to_string(kv_len) + ", the largest of kv_lengths")
                            .c_str());
}
