// Arrays of NumPy and PyTorch as rapt_tensor views. Layer: tools/python; for the *_arguments.h.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "rapt/rapt.h"

// The element types that an argument may have: bits 1 << rapt_dtype, and the name of the same list in rapt/_arrays.py.
struct ElementTypes {
  unsigned bits;
  const char* in_python;
};
inline constexpr ElementTypes kFloats{1u << RAPT_F32 | 1u << RAPT_BF16 | 1u << RAPT_F16, "FLOATS"};
inline constexpr ElementTypes kStored{kFloats.bits | 1u << RAPT_I8, "STORED"};
inline constexpr ElementTypes kMasks{kFloats.bits | 1u << RAPT_BOOL, "MASKS"};
inline constexpr ElementTypes kFloat32{1u << RAPT_F32, "FLOAT32"};
inline constexpr ElementTypes kBool{1u << RAPT_BOOL, "BOOL"};

// What one member of a parameter struct takes. `layout` is the text for errors. A kBroadcast array may lack dimensions on the left,
// a kRows array the last one, whose extent is 1 (one number a row).
enum class Form { kTensor, kBroadcast, kRows };
struct TensorKind {
  ElementTypes types;
  Form form;
  const char* layout;
  bool output;
};

template <class Params>
struct TensorMember {
  const char* name;
  rapt_tensor Params::*member;
  TensorKind kind;
};

// The arrays of one call, all of one library; holds references until it ends.
class __attribute__((visibility("hidden"))) Arrays {  // as nanobind's types are
 public:
  // `library`: the module numpy or torch.
  explicit Arrays(nanobind::handle library);
  Arrays(const Arrays&) = delete;
  Arrays& operator=(const Arrays&) = delete;

  // A view of `array`. Usual arrays are taken here and now; what is not usual, right or wrong, is left to _arrays.py, which raises.
  rapt_tensor tensor(const char* name, nanobind::handle array, const TensorKind& kind);

  // The elements of a contiguous array that _arrays.py made. Never NULL, which would mean "not given".
  template <class T>
  const T* elements(const char* name, nanobind::handle array) {
    static const T kNothing{};
    const auto& kept = keep(name, array);
    if (kept.itemsize() != sizeof(T)) throw std::logic_error("rapt: an array that _arrays.py did not convert");
    return kept.size() == 0 ? &kNothing : static_cast<const T*>(kept.data());
  }

  // The view that was made last.
  const nanobind::ndarray<nanobind::ro>& last() const { return kept_.back(); }

 private:
  const nanobind::ndarray<nanobind::ro>& keep(const char* name, nanobind::handle array, bool output = false);
  bool take(nanobind::handle array, bool output, nanobind::ndarray<nanobind::ro>& view) const;
  bool usual(nanobind::handle array) const;

  nanobind::handle library_;
  nanobind::object array_type_;
  bool torch_;
  bool tangents_;  // whether tensors may carry tangents of forward-mode differentiation
  std::vector<nanobind::ndarray<nanobind::ro>> kept_;
};

// The entry of `table` that is called `name`; null if there is none.
template <class Params, std::size_t n>
const TensorMember<Params>* find_tensor(const TensorMember<Params> (&table)[n], const char* name) {
  for (const TensorMember<Params>& entry : table)
    if (std::strcmp(entry.name, name) == 0) return &entry;
  return nullptr;
}

// Sets the member of `table` that is called `name` to a view of `value`. False if there is none of this name.
template <class Params, std::size_t n>
bool set_tensor(const TensorMember<Params> (&table)[n], Params& params, Arrays& arrays, const char* name,
                nanobind::handle value) {
  const TensorMember<Params>* entry = find_tensor(table, name);
  if (!entry) return false;
  params.*entry->member = arrays.tensor(name, value, entry->kind);
  return true;
}
