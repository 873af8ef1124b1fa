#include "tests/support/typed_tensor.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/runtime/convert.h"

namespace rapt::test {
namespace {

constexpr char kCanary = 0x5a;
constexpr std::int64_t kMargin = 16;  // elements of canaries on either side on the heap

DType storage(const rapt_tensor& t) { return static_cast<DType>(t.dtype); }

}  // namespace

Shape contiguous_strides(const Shape& shape) { return {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1}; }

TypedTensor::TypedTensor(rapt_dtype type, const Shape& shape, const Shape& strides, Place place) {
  view_.dtype = type;
  std::int64_t low = 0, high = 0, count = 1;
  for (std::size_t i = 0; i < 4; ++i) {
    view_.shape[i] = shape[i];
    view_.strides[i] = strides[i];
    count *= shape[i];
    if (shape[i] > 1) (strides[i] < 0 ? low : high) += (shape[i] - 1) * strides[i];
  }
  const std::int64_t size = size_of(storage(view_)), margin = place == Place::kHeap ? kMargin : 0;
  memory_ = std::make_shared<Memory>((count > 0 ? high - low + 1 : 0) + 2 * margin, place, static_cast<std::size_t>(size));
  view_.data = memory_->bytes() + (margin - low) * size;
  if (place != Place::kSparse) std::fill_n(memory_->bytes(), memory_->count() * size, kCanary);
}

char* TypedTensor::row(std::int64_t b, std::int64_t h, std::int64_t i) const {
  const std::int64_t offset = b * view_.strides[0] + h * view_.strides[1] + i * view_.strides[2];
  return static_cast<char*>(view_.data) + offset * size_of(storage(view_));
}

double TypedTensor::get(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d) const {
  return to_double(storage(view_), row(b, h, i), d);
}

void TypedTensor::set(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d, double x) const {
  if (type() == RAPT_I8 || type() == RAPT_BOOL)
    row(b, h, i)[d] = static_cast<char>(static_cast<std::int8_t>(x));
  else
    from_double(storage(view_), x, row(b, h, i), d);
}

bool TypedTensor::surroundings_intact() const {
  const std::int64_t size = size_of(storage(view_));
  std::vector<bool> is_element(static_cast<std::size_t>(memory_->count() * size));
  for_each([&](auto b, auto h, auto i, auto d) {
    const auto at = row(b, h, i) + d * size - memory_->bytes();
    std::fill_n(is_element.begin() + at, size, true);
  });
  for (std::size_t i = 0; i < is_element.size(); ++i)
    if (!is_element[i] && memory_->bytes()[i] != kCanary) return false;
  return true;
}

bool same_bits(const TypedTensor& a, const TypedTensor& b) {
  if (a.type() != b.type() || !std::equal(a.view().shape, a.view().shape + 4, b.view().shape)) return false;
  const auto bytes = static_cast<std::size_t>(a.extent(3) * size_of(storage(a.view())));
  for (std::int64_t i = 0; i < a.extent(0); ++i)
    for (std::int64_t j = 0; j < a.extent(1); ++j)
      for (std::int64_t k = 0; k < a.extent(2); ++k)
        if (std::memcmp(a.row(i, j, k), b.row(i, j, k), bytes) != 0) return false;
  return true;
}

}  // namespace rapt::test
