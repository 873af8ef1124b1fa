// The arguments of a call, by their names in rapt.h, as rapt_attention_params. Layer: tools/python; for module.cpp.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <vector>

#include "rapt/rapt.h"

// Fills rapt_attention_params from a dict whose keys are its members. A tensor is an array, or a tuple of four extents for an
// output without data (rapt_explain looks at no data). The other arrays are contiguous, of the member's element type.
// What the keys mean and what was checked of the values: rapt/_arguments.py. Holds references to the arrays until it ends.
class __attribute__((visibility("hidden"))) AttentionArguments {  // as nanobind's types are
 public:
  explicit AttentionArguments(const nanobind::dict& arguments);
  AttentionArguments(const AttentionArguments&) = delete;
  AttentionArguments& operator=(const AttentionArguments&) = delete;
  const rapt_attention_params& params() const { return params_; }

 private:
  void set(const char* name, nanobind::handle value);
  bool set_tensor(const char* name, nanobind::handle value);
  bool set_number(const char* name, nanobind::handle value);
  bool set_elements(const char* name, nanobind::handle value);
  void set_tree_mask(nanobind::handle value);
  void check_overlap(const char* name, const rapt_tensor& input) const;

  rapt_attention_params params_;
  std::vector<nanobind::ndarray<nanobind::ro>> arrays_;  // keep what params_ points to
  std::vector<std::uint64_t> tree_mask_;
};
