// Arrays come in through DLPack as views: nothing is copied but the bits of tree_mask.
#include "params.h"

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace nb = nanobind;

namespace {

using Params = rapt_attention_params;
using Array = nb::ndarray<nb::ro>;

struct TensorMember {
  const char* name;
  rapt_tensor Params::*member;
  bool output;
};
constexpr TensorMember kTensors[] = {
    {"q", &Params::q, false},
    {"k", &Params::k, false},
    {"v", &Params::v, false},
    {"mask", &Params::mask, false},
    {"bias", &Params::bias, false},
    {"block_mask", &Params::block_mask, false},
    {"k_scale", &Params::k_scale, false},
    {"v_scale", &Params::v_scale, false},
    {"out", &Params::out, true},
    {"lse", &Params::lse, true},
    {"weights", &Params::weights, true},
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
    {"cu_seqlens_k", &Params::cu_seqlens_k},
};
constexpr std::pair<const char*, const std::int32_t * Params::*> kInt32Arrays[] = {
    {"q_documents", &Params::q_documents}, {"k_documents", &Params::k_documents}, {"block_table", &Params::block_table}};
constexpr std::pair<const char*, const float * Params::*> kFloatArrays[] = {{"alibi_slopes", &Params::alibi_slopes},
                                                                            {"sinks", &Params::sinks}};

// The entry of one of the tables above; null if it has none of this name.
template <class Table>
auto find(const Table& table, const char* name) -> decltype(&table[0]) {
  for (const auto& entry : table)
    if (std::strcmp(std::get<0>(entry), name) == 0) return &entry;
  return nullptr;
}

rapt_dtype type_of(const char* name, nb::dlpack::dtype type) {
  const auto is = [&](nb::dlpack::dtype_code code, int bits) {
    return type.code == static_cast<std::uint8_t>(code) && type.bits == bits;
  };
  if (is(nb::dlpack::dtype_code::Float, 32)) return RAPT_F32;
  if (is(nb::dlpack::dtype_code::Float, 16)) return RAPT_F16;
  if (is(nb::dlpack::dtype_code::Bfloat, 16)) return RAPT_BF16;
  if (is(nb::dlpack::dtype_code::UInt, 16)) return RAPT_BF16;  // NumPy has no bfloat16 of its own
  if (is(nb::dlpack::dtype_code::Int, 8)) return RAPT_I8;
  if (is(nb::dlpack::dtype_code::Bool, 8)) return RAPT_BOOL;
  throw nb::type_error((std::string(name) + " has a dtype that rapt does not know").c_str());
}

// A view of an array whose kind, dtype and number of dimensions were checked in Python.
Array import_array(const char* name, nb::handle object, bool output) {
  Array array;
  nb::ndarray<> writable;
  if (output && nb::try_cast(object, writable, false))
    array = Array(writable);
  else if (output || !nb::try_cast(object, array, false))
    throw nb::value_error(
        (std::string(name) + " has no DLPack view in CPU memory; its strides must be whole elements").c_str());
  if (array.device_type() != nb::device::cpu::value)
    throw nb::value_error((std::string(name) + " is not in CPU memory").c_str());
  return array;
}

// Missing dimensions at the end have extent 1: lse and the scales come as [batch, heads, length].
rapt_tensor as_tensor(const char* name, const Array& array) {
  rapt_tensor tensor{};
  tensor.data = const_cast<void*>(array.data());  // rapt never writes to an input
  tensor.dtype = type_of(name, array.dtype());
  for (size_t i = 0; i < 4; ++i) {
    tensor.shape[i] = i < array.ndim() ? static_cast<int64_t>(array.shape(i)) : 1;
    tensor.strides[i] = i < array.ndim() ? array.stride(i) : 1;
  }
  return tensor;
}

// Never NULL, which would mean "not given", whatever an empty array points to.
template <class T>
const T* elements_of(const Array& array) {
  static const T kNothing{};
  if (array.itemsize() != sizeof(T)) throw std::logic_error("rapt: an array that _arguments.py did not convert");
  return array.size() == 0 ? &kNothing : static_cast<const T*>(array.data());
}

}  // namespace

AttentionArguments::AttentionArguments(const nb::dict& arguments) {
  rapt_attention_params_init(&params_);
  for (const auto& [name, value] : arguments) set(nb::cast<const char*>(name), value);
  if (!params_.out.data) params_.out.dtype = params_.q.dtype;
  check_overlap("q", params_.q);
  check_overlap("k", params_.k);
  check_overlap("v", params_.v);
  check_overlap("mask", params_.mask);
  check_overlap("bias", params_.bias);
}

void AttentionArguments::set(const char* name, nb::handle value) {
  if (std::strcmp(name, "causal") == 0)
    params_.causal = static_cast<rapt_causal>(nb::cast<int>(value));
  else if (std::strcmp(name, "tree_mask") == 0)
    set_tree_mask(value);
  else if (!set_tensor(name, value) && !set_number(name, value) && !set_elements(name, value))
    throw std::logic_error("rapt: no argument is called " + std::string(name));
}

bool AttentionArguments::set_tensor(const char* name, nb::handle value) {
  for (const TensorMember& tensor : kTensors) {
    if (std::strcmp(tensor.name, name) != 0) continue;
    if (nb::isinstance<nb::tuple>(value)) {
      const auto extent = [&](int i) { return nb::cast<std::int64_t>(value[i]); };
      params_.*tensor.member = rapt_tensor_of(nullptr, RAPT_F32, extent(0), extent(1), extent(2), extent(3));
    } else {
      arrays_.push_back(import_array(name, value, tensor.output));
      params_.*tensor.member = as_tensor(name, arrays_.back());
    }
    return true;
  }
  return false;
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
  const auto* wide = find(kInt64Arrays, name);
  const auto* narrow = find(kInt32Arrays, name);
  const auto* real = find(kFloatArrays, name);
  if (!wide && !narrow && !real) return false;
  arrays_.push_back(import_array(name, value, false));
  if (wide) params_.*wide->second = elements_of<std::int64_t>(arrays_.back());
  if (narrow) params_.*narrow->second = elements_of<std::int32_t>(arrays_.back());
  if (real) params_.*real->second = elements_of<float>(arrays_.back());
  return true;
}

// [batch, q_len, q_len], a byte an element, to bits: [batch, q_len, ceil(q_len / 64)].
void AttentionArguments::set_tree_mask(nb::handle value) {
  const Array array = import_array("tree_mask", value, false);
  const bool* visible = elements_of<bool>(array);
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
