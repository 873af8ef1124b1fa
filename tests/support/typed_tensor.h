// A tensor of any storage type, at any strides and place: what calls with variants are made of. (Tensor, in tensor.h, is f32
// with named layouts.) Without GoogleTest, so that fuzz targets can use it.
#pragma once
#include <memory>

#include "rapt/rapt.h"
#include "tests/support/memory.h"
#include "tests/support/tensor.h"

namespace rapt::test {

Shape contiguous_strides(const Shape& shape);

class TypedTensor {
 public:
  TypedTensor() = default;  // not given
  // Strides in elements, of any sign. Elements and all between and beside them hold the byte kCanary, but for Place::kSparse.
  TypedTensor(rapt_dtype type, const Shape& shape, const Shape& strides, Place place = Place::kHeap);

  explicit operator bool() const { return memory_ != nullptr; }
  const rapt_tensor& view() const { return view_; }
  rapt_dtype type() const { return view_.dtype; }
  std::int64_t extent(int dimension) const { return view_.shape[dimension]; }
  char* row(std::int64_t b, std::int64_t h, std::int64_t i) const;
  double get(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d) const;
  // Rounded to the type; i8 must be in range, and bool is any number but 0.
  void set(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d, double x) const;

  // f(b, h, i, d) in the order of the indices.
  template <class F>
  void for_each(F f) const {
    for (std::int64_t b = 0; b < extent(0); ++b)
      for (std::int64_t h = 0; h < extent(1); ++h)
        for (std::int64_t i = 0; i < extent(2); ++i)
          for (std::int64_t d = 0; d < extent(3); ++d) f(b, h, i, d);
  }

  // Whether everything but the elements still holds its canary.
  bool surroundings_intact() const;
  void make_read_only() const { memory_->make_read_only(); }

 private:
  std::shared_ptr<Memory> memory_;
  rapt_tensor view_ = {};
};

// Of all elements, not of what lies between them.
bool same_bits(const TypedTensor& a, const TypedTensor& b);

}  // namespace rapt::test
