// The arguments of attention() by their names in rapt.h, as rapt_attention_params. Layer: tools/python; for module.cpp.
#pragma once
#include <nanobind/nanobind.h>

#include <cstdint>
#include <vector>

#include "arrays.h"
#include "rapt/rapt.h"

// What the values mean and what was checked of them: rapt/_arguments.py. Holds references to the arrays until it ends.
class __attribute__((visibility("hidden"))) AttentionArguments {
 public:
  explicit AttentionArguments(nanobind::handle library) : arrays_(library) { rapt_attention_params_init(&params_); }

  // Sets one member. Arrays but the tensors are contiguous, of the member's element type. tree_mask: a byte an element, [batch, q_len, q_len].
  void set(const char* name, nanobind::handle value);

  // Sets an output without data, which rapt_explain does not look at: four extents.
  void set_extents(const char* name, const nanobind::tuple& extents);

  // Sets an output that rapt made, not the caller.
  void set_made(const char* name, nanobind::handle value);

  // All members, once none is missing.
  const rapt_attention_params& params();

  // After a call: the rows behind the last ragged sequence, which rapt_attention does not write, see nothing in what rapt made.
  void fill_rows_of_none() const;

 private:
  bool set_number(const char* name, nanobind::handle value);
  bool set_elements(const char* name, nanobind::handle value);
  void set_k_documents(nanobind::handle value);
  void set_tree_mask(nanobind::handle value);
  void check_documents() const;
  void check_overlap(const char* name, const rapt_tensor& input) const;

  rapt_attention_params params_;
  Arrays arrays_;
  std::int64_t keys_of_documents_ = 0;
  std::vector<std::uint64_t> tree_mask_;
  std::vector<rapt_tensor rapt_attention_params::*> made_;
};
