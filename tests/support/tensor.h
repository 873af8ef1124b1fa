// Four-dimensional f32 tensors in any layout, with canaries wherever a call has no business.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "rapt/rapt.h"
#include "tests/support/memory.h"
#include "tests/support/rng.h"

namespace rapt::test {

using Shape = std::array<std::int64_t, 4>;  // batch, heads, length, dim

// How the elements of a shape lie in memory.
struct Layout {
  std::array<int, 4> order = {0, 1, 2, 3};  // dimensions, outermost first; 3 stays last
  Shape gap = {0, 0, 0, 0};                 // elements left free after each index of a dimension
  std::array<bool, 4> reversed = {};        // runs backwards in memory
  std::array<bool, 4> repeated = {};        // stride 0, inputs only
};

Layout contiguous();
Layout length_before_heads();  // [B, L, H, D]
Layout gaps();                 // free elements after rows, heads and batches
Layout backwards();            // batch, heads and length run backwards
Layout one_for_all_heads();    // stride 0 over batch and heads

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const Shape& shape, const Layout& layout = {}, Place place = Place::kHeap);
  // A view of memory that others share: a fused projection.
  Tensor(std::shared_ptr<Memory> memory, std::int64_t offset, const Shape& shape, const Shape& strides);

  const rapt_tensor& view() const { return view_; }
  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return shape_[0] * shape_[1] * shape_[2] * shape_[3]; }
  float* row(std::int64_t b, std::int64_t h, std::int64_t i) const;
  float& at(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d) const { return row(b, h, i)[d]; }
  // All elements in the order of their indices.
  std::vector<float> values() const;
  void set_values(const std::vector<float>& values) const;

  void fill(Rng& rng, float amplitude = 1) const;
  void fill(float value) const;
  // Canaries (a NaN of rare bits) in all elements and all that lies between and beside them.
  void set_canaries() const;
  // Whether everything but the elements still holds its canary.
  bool surroundings_intact() const;
  // Whether some element still holds its canary: it was not written.
  bool has_canary() const;
  void make_read_only() const { memory_->make_read_only(); }

 private:
  std::shared_ptr<Memory> memory_;
  Shape shape_ = {};
  rapt_tensor view_ = {};
};

// Bit for bit, NaN included.
bool same_bits(float a, float b);
// The number of elements whose bits differ; shapes must agree. What the failure text of the same-bits tests counts.
std::int64_t count_different_bits(const Tensor& a, const Tensor& b);

// [batch, heads, first .. first + count, dim] of a tensor of any type, as a view of its memory.
rapt_tensor slice_length(const rapt_tensor& t, std::int64_t first, std::int64_t count);
rapt_tensor slice_heads(const rapt_tensor& t, std::int64_t first, std::int64_t count);
rapt_tensor slice_batch(const rapt_tensor& t, std::int64_t first, std::int64_t count);
rapt_tensor slice_dim(const rapt_tensor& t, std::int64_t first, std::int64_t count);

}  // namespace rapt::test
